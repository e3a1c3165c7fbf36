"""Data larger than memory: prepared once on disk, then memory-mapped."""

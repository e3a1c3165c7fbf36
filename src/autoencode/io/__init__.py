"""Input and output: complete files, locks, memory, progress and signals."""

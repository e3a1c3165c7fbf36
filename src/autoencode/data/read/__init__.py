"""Readers: from folders, files and arrays to raw arrays."""

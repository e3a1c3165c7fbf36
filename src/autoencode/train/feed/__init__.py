"""Batches for the loop: in order, from memory or from a file, and changed a little."""

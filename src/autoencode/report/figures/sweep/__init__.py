"""Figures of the trials of a sweep."""

"""Figures of reports: one class for each, in a file named after what it shows."""

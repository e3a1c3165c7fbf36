"""Figures that show several models on the same examples."""

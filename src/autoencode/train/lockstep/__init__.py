"""Alike trainings as one: their weights in common tensors, one update for all."""

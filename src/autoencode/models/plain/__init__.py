"""Recipes as listings in plain PyTorch: each part of a recipe writes its own lines."""

"""The training step as one compiled program."""

"""What a training leaves behind and says: checkpoints, log, progress, and what stops it."""

"""One small module for each figure: draw it, say what to see, say it in words."""

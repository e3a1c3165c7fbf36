"""HTML pages and the model card."""

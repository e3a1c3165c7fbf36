"""The table of recipes."""

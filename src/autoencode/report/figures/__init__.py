"""One small module for each figure.

Each has a TITLE, and four functions of the same arguments: `draw` gives the figure, `about` says
what it is, `see` what to see in this one, and `alt` describes it for those who cannot see it.
"""

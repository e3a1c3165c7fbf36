"""One small module for each figure.

Each has a TITLE, and five functions of the same arguments: `draw` gives the figure, `about` says
what it is, `see` what to see in this one, `alt` describes it for those who cannot see it, and
`table` gives the numbers behind it, or None where there are none.
"""

"""Charts that are not of a single model: bars, lines, matrices, rows of images."""

from autoencode.report.charts.bars import Better, bars, matrix
from autoencode.report.charts.frontier import frontier
from autoencode.report.charts.lines import Series, curves
from autoencode.report.charts.panels import code_planes, image_rows

__all__ = [
    "Better",
    "Series",
    "bars",
    "code_planes",
    "curves",
    "frontier",
    "image_rows",
    "matrix",
]

"""Rows of images with text beside, above and below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from autoencode.report.images import Tiles, enlarge, montage
from autoencode.report.style import SHARP, SMALL, SOFT, WIDTH, Picture, new_figure

# Inches.
MARGIN, LINE, LETTER = 0.06, 0.17, 0.078
MAX_WIDTH, MAX_HEIGHT = 1.15, 1.5
# Letters above and below images are smaller than those of labels.
SMALL_LETTER = 0.95
# Of a model's name to the left of a row.
NAME_WIDTH = 1.0
# Between two images, as a fraction of their width.
GAP = 0.07


@dataclass(frozen=True)
class Row:
    """Images side by side.

    label: text to the left of the row.
    above, below: text above and below each image, or none; above, several lines are possible.
    space_below: inches of space below the row.
    """

    pictures: Tiles
    label: str = ""
    above: Sequence[str] = ()
    below: Sequence[str] = ()
    space_below: float = 0.05


def draw_rows(rows: Sequence[Row]) -> Picture:
    """A figure of the rows from top to bottom; all images have one size."""
    columns = max(len(row.pictures) for row in rows)
    height, width = rows[0].pictures.shape[1:3]
    longest = max(len(line) for row in rows for line in row.label.split("\n"))
    left = MARGIN + (longest * LETTER + 0.08 if longest else 0)
    across = (WIDTH - left - MARGIN) / (columns + (columns - 1) * GAP)
    across = min(across, MAX_WIDTH, MAX_HEIGHT * width / height)
    down = across * height / width
    title_lines = [max((title.count("\n") + 1 for title in row.above), default=0) for row in rows]
    lines = sum(title_lines) + sum(bool(row.below) for row in rows)
    room = sum(row.space_below for row in rows[:-1])
    # A label of several lines may be higher than its images.
    highs = [max(down, LINE * (row.label.count("\n") + 1)) for row in rows]
    total = 2 * MARGIN + sum(highs) + lines * LINE + room
    figure = new_figure(WIDTH, total)
    # One pair of axes, in inches: a pair for each row would take most of the time.
    axes = figure.add_axes((0, 0, 1, 1))
    # As many dots as a screen has or more, so that pixels are square and sharp.
    factor = max(1, int(np.ceil(across * SHARP / width)))
    gap = round(GAP * factor * width)
    top = total - MARGIN
    for row, n_lines, high in zip(rows, title_lines, highs, strict=True):
        middles = [left + across * (i * (1 + GAP) + 0.5) for i in range(len(row.pictures))]
        if row.above:
            _words(axes, middles, top - (n_lines - 0.2) * LINE, row.above, "bottom")
            top -= n_lines * LINE
        sheet = montage(enlarge(row.pictures, factor), len(row.pictures), gap)
        right = left + across * (len(row.pictures) * (1 + GAP) - GAP)
        middle = top - high / 2
        extent = (left, right, middle - down / 2, middle + down / 2)
        axes.imshow(sheet, extent=extent, aspect="auto")
        if row.label:
            axes.text(MARGIN, middle, row.label, va="center", size=SMALL + 1)
        top -= high
        if row.below:
            _words(axes, middles, top - 0.55 * LINE, row.below)
            top -= LINE
        top -= row.space_below
    axes.set(xlim=(0, WIDTH), ylim=(0, total))
    axes.set_axis_off()
    return figure


def _words(
    axes: Axes, middles: Sequence[float], height: float, words: Sequence[str], va: str = "center"
) -> None:
    for middle, word in zip(middles, words, strict=True):
        # A word that is wider than its image stays inside the figure.
        half = max(map(len, word.split("\n"))) * LETTER * SMALL_LETTER / 2
        x = max(MARGIN + half, min(middle, WIDTH - MARGIN - half)) if 2 * half < WIDTH else middle
        axes.text(x, height, word, ha="center", va=va, size=SMALL, color=SOFT)

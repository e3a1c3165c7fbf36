"""Rows of small pictures with words beside, above and below them: the frame of most figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from autoencode.report.images import Tiles, enlarge, montage
from autoencode.report.style import SHARP, SMALL, SOFT, WIDTH, Picture, new_figure

# Inches.
MARGIN, LINE, LETTER = 0.06, 0.17, 0.078
WIDEST, HIGHEST = 1.15, 1.5
# Between two pictures, as a fraction of one.
GAP = 0.07


@dataclass(frozen=True)
class Row:
    """Pictures side by side.

    label: beside the row, in as many lines as it has.
    heads, notes: above and below each picture, or none; a head may have several lines.
    after: inches of room below.
    """

    pictures: Tiles
    label: str = ""
    heads: Sequence[str] = ()
    notes: Sequence[str] = ()
    after: float = 0.05


def draw_rows(rows: Sequence[Row]) -> Picture:
    """A figure of the rows, one under the other, all pictures of one size."""
    columns = max(len(row.pictures) for row in rows)
    height, width = rows[0].pictures.shape[1:3]
    longest = max(len(line) for row in rows for line in row.label.split("\n"))
    left = MARGIN + (longest * LETTER + 0.08 if longest else 0)
    across = (WIDTH - left - MARGIN) / (columns + (columns - 1) * GAP)
    across = min(across, WIDEST, HIGHEST * width / height)
    down = across * height / width
    above = [max((head.count("\n") + 1 for head in row.heads), default=0) for row in rows]
    lines = sum(above) + sum(bool(row.notes) for row in rows)
    room = sum(row.after for row in rows[:-1])
    # A label of several lines may be higher than its pictures.
    highs = [max(down, LINE * (row.label.count("\n") + 1)) for row in rows]
    total = 2 * MARGIN + sum(highs) + lines * LINE + room
    figure = new_figure(WIDTH, total)
    # One pair of axes, in inches: a pair for each row would take longer than all the rest.
    axes = figure.add_axes((0, 0, 1, 1))
    # As many dots as the screen has or more, so that pixels stay square and sharp.
    factor = max(1, int(np.ceil(across * SHARP / width)))
    gap = round(GAP * factor * width)
    top = total - MARGIN
    for row, head, high in zip(rows, above, highs, strict=True):
        middles = [left + across * (i * (1 + GAP) + 0.5) for i in range(len(row.pictures))]
        if row.heads:
            _words(axes, middles, top - (head - 0.2) * LINE, row.heads, "bottom")
            top -= head * LINE
        sheet = montage(enlarge(row.pictures, factor), len(row.pictures), gap)
        right = left + across * (len(row.pictures) * (1 + GAP) - GAP)
        middle = top - high / 2
        extent = (left, right, middle - down / 2, middle + down / 2)
        axes.imshow(sheet, extent=extent, aspect="auto")
        if row.label:
            axes.text(MARGIN, middle, row.label, va="center", size=SMALL + 1)
        top -= high
        if row.notes:
            _words(axes, middles, top - 0.55 * LINE, row.notes)
            top -= LINE
        top -= row.after
    axes.set(xlim=(0, WIDTH), ylim=(0, total))
    axes.set_axis_off()
    return figure


def _words(
    axes: Axes, middles: Sequence[float], height: float, words: Sequence[str], va: str = "center"
) -> None:
    for x, word in zip(middles, words, strict=True):
        axes.text(x, height, word, ha="center", va=va, size=SMALL, color=SOFT)

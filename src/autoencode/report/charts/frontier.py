"""A curve through labelled points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from autoencode.report.labels import LINE, put_ticks, text_width, wrapped
from autoencode.report.style import BLUE, RULE, SMALL, WIDTH, Picture, new_figure, styled

# Inches: height of the figure, and width of a name.
HEIGHT, NAME = 4.0, 1.35
# Font size of the names.
FONT_SIZE = SMALL + 0.5
# A name farther from its point than this, in inches, is connected by a line.
MAX_GAP = 0.6


@styled()
def frontier(points: Sequence[tuple[str, float, float]], x: str, y: str) -> Picture:
    """A curve through labelled points in the order given, a rate–distortion curve for example.

    points: (name, x, y).   x, y: what the axes are, with the unit.
    """
    figure = new_figure(WIDTH, HEIGHT, fitted=True)
    axes = figure.add_subplot()
    names = [wrapped(name, NAME, FONT_SIZE) for name, *_ in points]
    places = np.array([point[1:] for point in points], dtype=float)
    axes.plot(*places.T, "o-", color=BLUE, markersize=5.5)
    axes.margins(0.13)
    axes.set_xlim(*axes.get_xlim())
    axes.set_ylim(*axes.get_ylim())
    put_ticks(axes.xaxis)
    put_ticks(axes.yaxis)
    axes.set_xlabel(x)
    axes.set_title(y)
    # The positions of the names depend on the size of the axes, which is final only now.
    figure.draw_without_rendering()
    box = np.asarray(axes.get_window_extent().size) / figure.dpi
    at = axes.transLimits.transform(places) * box
    sizes = [(text_width(name, FONT_SIZE), LINE * (name.count("\n") + 1)) for name in names]
    for name, place, middle in zip(names, at, _name_positions(at, sizes, box), strict=True):
        far = np.hypot(*(middle - place)) > MAX_GAP
        axes.annotate(
            name,
            tuple(place / box),
            tuple(middle / box),
            "axes fraction",
            "axes fraction",
            {"arrowstyle": "-", "color": RULE, "linewidth": 0.8, "shrinkB": 4} if far else None,
            ha="center",
            va="center",
            size=FONT_SIZE,
        )
    return figure


def _name_positions(
    points: np.ndarray, sizes: Sequence[tuple[float, float]], box: np.ndarray
) -> np.ndarray:
    """Centres of names of these sizes, in inches, next to their points [n, 2] in a box.

    Each name takes the nearest place around its point that overlaps no other name, no point and
    not the line through them.
    """
    steps = np.linspace(0, 1, 40)[:, None]
    along = [a + steps * (b - a) for a, b in pairwise(points)]
    line = np.concatenate([points, *along])
    angles = np.arange(16) * np.pi / 8 + np.pi / 4
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    distances = np.repeat([0.08, 0.16, 0.3, 0.5, 0.8], len(angles))
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    for point, size in zip(points, sizes, strict=True):
        half = np.array(size) / 2
        middles = point + np.tile(directions, (5, 1)) * (half + distances[:, None])
        costs = 4 * distances
        costs += (np.abs(line - middles[:, None]) < half + 0.03).all(2).sum(1)
        costs += 50 * ((middles - half < 0) | (middles + half > box)).sum(1)
        for other, other_half in taken:
            costs += 50 * (np.abs(middles - other) < half + other_half + 0.02).all(1)
        taken.append((middles[costs.argmin()], half))
    return np.array([middle for middle, _ in taken])

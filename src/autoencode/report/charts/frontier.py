"""A curve through named points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from autoencode.report.charts.fit import LINE, folded, inches, put_ticks
from autoencode.report.style import BLUE, RULE, SMALL, WIDTH, Picture, new_figure, styled

# Inches: of the whole, and of a name's lines.
HEIGHT, NAME = 4.0, 1.35
# Points: of the names' letters.
LETTERS = SMALL + 0.5
# Farther from its point, in inches, a name is tied to it by a line.
FAR = 0.6


@styled()
def frontier(points: Sequence[tuple[str, float, float]], x: str, y: str) -> Picture:
    """A curve through named points in the order given: rate against distortion along beta.

    points: (name, x, y).   x, y: what the axes are, with the unit.
    """
    figure = new_figure(WIDTH, HEIGHT, fitted=True)
    axes = figure.add_subplot()
    names = [folded(name, NAME, LETTERS) for name, *_ in points]
    places = np.array([point[1:] for point in points], dtype=float)
    axes.plot(*places.T, "o-", color=BLUE, markersize=5.5)
    axes.margins(0.13)
    axes.set_xlim(*axes.get_xlim())
    axes.set_ylim(*axes.get_ylim())
    put_ticks(axes.xaxis, *axes.get_xlim(), log=False)
    put_ticks(axes.yaxis, *axes.get_ylim(), log=False)
    axes.set_xlabel(x)
    axes.set_title(y)
    # The names need the axes' own size, which their numbers and titles decide.
    figure.draw_without_rendering()
    box = np.asarray(axes.get_window_extent().size) / figure.dpi
    at = axes.transLimits.transform(places) * box
    sizes = [(inches(name, LETTERS), LINE * (name.count("\n") + 1)) for name in names]
    for name, place, middle in zip(names, at, _beside(at, sizes, box), strict=True):
        far = np.hypot(*(middle - place)) > FAR
        axes.annotate(
            name,
            tuple(place / box),
            tuple(middle / box),
            "axes fraction",
            "axes fraction",
            {"arrowstyle": "-", "color": RULE, "linewidth": 0.8, "shrinkB": 4} if far else None,
            ha="center",
            va="center",
            size=LETTERS,
        )
    return figure


def _beside(
    points: np.ndarray, sizes: Sequence[tuple[float, float]], box: np.ndarray
) -> np.ndarray:
    """Where names of so many inches stand beside their points [n, 2] in a box: their middles.

    Each takes the nearest place around its point that hides neither another name, nor a point, nor
    the line through them.
    """
    steps = np.linspace(0, 1, 40)[:, None]
    along = [a + steps * (b - a) for a, b in pairwise(points)]
    line = np.concatenate([points, *along])
    angles = np.arange(16) * np.pi / 8 + np.pi / 4
    taken: list[tuple[np.ndarray, np.ndarray]] = []
    for point, size in zip(points, sizes, strict=True):
        half = np.array(size) / 2
        choices = []
        for distance in (0.08, 0.16, 0.3, 0.5, 0.8):
            for angle in angles:
                way = np.array([np.cos(angle), np.sin(angle)])
                middle = point + way * (half + distance)
                hidden = sum(
                    (np.abs(middle - other) < half + other_half + 0.02).all()
                    for other, other_half in taken
                )
                crossed = (np.abs(line - middle) < half + 0.03).all(axis=1).sum()
                outside = ((middle - half < 0) | (middle + half > box)).sum()
                choices.append((50 * hidden + 50 * outside + crossed + 4 * distance, middle))
        best = min(choices, key=lambda choice: choice[0])[1]
        taken.append((best, half))
    return np.array([middle for middle, _ in taken])

"""Line charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D

from autoencode.report.labels import (
    LINE,
    MAX_VALUES,
    put_ticks,
    put_values,
    scale,
    separated,
    text_width,
    tick_label,
    wrapped,
)
from autoencode.report.style import (
    BLUE,
    INK,
    ORANGE,
    PAPER,
    RULE,
    SMALL,
    SOFT,
    WIDTH,
    Picture,
    colours,
    legend_below,
    new_figure,
    styled,
)

# Inches: height of the figure, margins of the axes, and width of the names at the ends of lines.
HEIGHT, AROUND_X, AROUND_Y, NAME = 3.7, 0.85, 1.0, 1.45
# Font size of all text but the titles.
FONT_SIZE = SMALL + 0.5
# Up to so many points have a marker, and a bar for the interval; more have a band.
MAX_MARKERS, MAX_BARS = 40, 12
# Names are at the ends of lines that end from here on, and at most so far above or below, in
# fractions of the axes; otherwise in a legend.
MIN_END, MAX_SHIFT = 0.85, 0.25
TIE = {"arrowstyle": "-", "linewidth": 0.9, "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 3}


@dataclass(frozen=True)
class Series:
    """One line: y [n] at x [n], not finite where there is no value.

    low, high: ends of an interval around each y, [n]; None without intervals.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False

    def array(self, of: Sequence[float] | None) -> np.ndarray:
        """One of the columns where x and y are finite, in the order of x, [m]."""
        x, y = (np.asarray(column, dtype=float) for column in (self.x, self.y))
        finite = np.isfinite(x) & np.isfinite(y)
        column = y if of is None else np.asarray(of, dtype=float)
        found: np.ndarray = column[finite][np.argsort(x[finite], kind="stable")]
        return found


@styled()
def curves(
    series: Sequence[Series],
    x: str = "steps",
    y: str = "squared error",
    log_x: bool = False,
    log_y: bool = False,
    marked: Sequence[tuple[float, str]] = (),
) -> Picture:
    """Lines over one x, with names at their ends, or in a legend if there is no room.

    x, y: what the axes are, with the unit.   marked: positions on x, with text.
    """
    figure = new_figure(WIDTH, HEIGHT, fitted=True)
    axes = figure.add_subplot()
    paint = [BLUE, ORANGE][: len(series)] if len(series) <= 2 else colours(len(series))
    lines = [_line(axes, each, colour) for each, colour in zip(series, paint, strict=True)]
    x_values = np.concatenate([*(each.array(each.x) for each in series), [at for at, _ in marked]])
    scale(axes.set_xscale, x_values, log=log_x)
    values = [each.array(c) for each in series for c in (each.y, each.low, each.high)]
    scale(axes.set_yscale, np.concatenate(values), log=log_y)
    axes.margins(x=0.04, y=0.07)
    axes.set_xlim(*axes.get_xlim())
    axes.set_ylim(*axes.get_ylim())
    axes.set_xlabel(x)
    across, down = WIDTH - AROUND_X, HEIGHT - AROUND_Y
    names = [wrapped(each.name, NAME, FONT_SIZE) for each in series]
    # The end of each line in fractions of the axes; (0, 0) for a line without points.
    to_fraction = axes.transScale + axes.transLimits
    points = [np.asarray(line.get_xydata()) for line in lines]
    ends = np.array([to_fraction.transform(p[-1]) if len(p) else (0, 0) for p in points])
    heights = [LINE * (name.count("\n") + 1) / down for name in names]
    places = separated(ends[:, 1], heights, 0, max(1, sum(heights)))
    if ends[:, 0].min() >= MIN_END and np.abs(places - ends[:, 1]).max() <= MAX_SHIFT:
        _name_ends(axes, names, paint, ends, places)
        across -= max(text_width(name, FONT_SIZE) for name in names) + 0.1
    else:
        legend_below(figure, lines)
    put_ticks(axes.yaxis, log=log_y)
    _x_ticks(axes, np.unique(x_values), across, log=log_x)
    _mark(axes, marked, across, down)
    axes.set_title(y, pad=6 + 72 * LINE * len(marked))
    return figure


def _line(axes: Axes, series: Series, colour: str) -> Line2D:
    x, y = series.array(series.x), series.array(series.y)
    if series.low is not None and series.high is not None:
        low, high = series.array(series.low), series.array(series.high)
        if len(x) > MAX_BARS:
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        else:
            axes.vlines(x, low, high, color=colour, linewidth=1.2, alpha=0.75)
    style = "--" if series.dashed else "-"
    marker = "o" if len(x) <= MAX_MARKERS else ""
    (line,) = axes.plot(x, y, style, color=colour, marker=marker, label=series.name)
    line.set(markersize=4.5, markeredgewidth=1.3)
    line.set_markerfacecolor(PAPER if series.dashed else colour)
    return line


def _name_ends(
    axes: Axes, names: Sequence[str], paint: Sequence[str], ends: np.ndarray, heights: np.ndarray
) -> None:
    """Write names to the right of the axes, each connected to the end of its line."""
    for name, colour, end, height in zip(names, paint, ends, heights, strict=True):
        axes.annotate(
            name,
            tuple(end),
            (1.05, height),
            "axes fraction",
            "axes fraction",
            {"color": colour, **TIE},
            annotation_clip=False,
            va="center",
            size=FONT_SIZE,
            # Some of the colours are too light for text.
            color=to_hex(tuple((np.add(to_rgb(colour), to_rgb(INK)) / 2).tolist())),
        )


def _x_ticks(axes: Axes, x_values: np.ndarray, across: float, *, log: bool) -> None:
    """Set ticks at the values themselves if there is room for them, else at round numbers."""
    to_fraction = axes.transScale + axes.transLimits
    fitting: list[float] = []
    edge = np.inf
    # From the right, where values on a linear axis are farther apart.
    for value in x_values[::-1]:
        middle = across * to_fraction.transform((value, axes.get_ylim()[0]))[0]
        half = text_width(tick_label(value), FONT_SIZE) / 2
        if middle + half + 0.06 <= edge:
            fitting.append(value)
            edge = middle - half
    if len(x_values) <= MAX_VALUES and len(fitting) >= 0.6 * len(x_values):
        put_values(axes.xaxis, fitting[::-1])
    else:
        put_ticks(axes.xaxis, log=log)


def _mark(axes: Axes, marked: Sequence[tuple[float, str]], across: float, down: float) -> None:
    """Draw vertical lines with text above the axes, each text in a row of its own."""
    to_fraction = axes.transScale + axes.transLimits
    # From the right, so that a line passes other text on its left side only.
    for row, (at, words) in enumerate(sorted(marked, reverse=True)):
        line = to_fraction.transform((at, axes.get_ylim()[0]))[0]
        middle, top = (1 + (row + share) * LINE / down for share in (0.55, 1))
        axes.axvline(at, 0, top, color=RULE, linestyle=(0, (3, 2)), linewidth=1, clip_on=False)
        fits = across * line + text_width(words, FONT_SIZE) <= across
        axes.annotate(
            words,
            (at, middle),
            (4 if fits else -4, 0),
            axes.get_xaxis_transform(),
            "offset points",
            va="center",
            size=FONT_SIZE,
            color=SOFT,
            annotation_clip=False,
            ha="left" if fits else "right",
        )

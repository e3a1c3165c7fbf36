"""Bar charts, and matrices of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Literal

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor

from autoencode.report.formatting import short
from autoencode.report.labels import LINE, put_ticks, text_width, wrapped
from autoencode.report.style import (
    BLUE,
    INK,
    NORMAL,
    PAPER,
    RULE,
    SMALL,
    SOFT,
    WIDTH,
    Picture,
    categories,
    new_figure,
    styled,
)

# Whether the lowest or the highest value is the best.
Better = Literal["low", "high"]
PALE = "#a9c6e3"
# Inches: a bar with its margin, the height of a cell, and the width of names.
BAR, CELL, NAME = 0.34, 0.36, 1.9
# Share of the range of values above which white text has more contrast than dark text.
MIN_DARK = 0.58
# Maximum and minimum font size in a cell.
FONT_SIZES = (NORMAL, 6.0)


@styled()
def bars(
    names: Sequence[str],
    values: Sequence[float],
    unit: str,
    intervals: Sequence[tuple[float, float]] | None = None,
    best: Better | None = None,
) -> Picture:
    """A horizontal bar for each value, with the value next to it; "–" where it is not finite.

    unit: what the values are.   intervals: lower and upper end of each value's interval.
    best: whether the lowest or the highest value is the best, which is then highlighted.
    """
    numbers = np.asarray(values, dtype=float)
    labels = [wrapped(name, NAME) for name in names]
    tallest = max(label.count("\n") for label in labels)
    figure = new_figure(WIDTH, 0.75 + len(names) * (BAR + LINE * tallest), fitted=True)
    axes = figure.add_subplot()
    chosen = _best(numbers, best)
    rows = np.arange(len(numbers))
    errors = None
    if intervals is not None:
        errors = np.nan_to_num(np.abs(np.asarray(intervals, dtype=float).T - numbers))
    drawn = axes.barh(
        rows,
        np.nan_to_num(numbers),
        height=0.62 / (1 + 0.3 * tallest),
        color=np.where(chosen, BLUE, PALE) if chosen.any() else BLUE,
        xerr=errors,
        error_kw={"ecolor": INK, "elinewidth": 1.2},
    )
    texts = [short(value) if np.isfinite(value) else "–" for value in numbers]
    # A line across the chart may cross a value.
    outline = [withStroke(linewidth=3, foreground=PAPER)]
    for text in compress(axes.bar_label(drawn, texts, padding=5, path_effects=outline), chosen):
        text.set(weight="bold")
    # Room for the values of negative bars; that for other values is made next to the axes.
    axes.margins(x=0.2 if (numbers < 0).any() else 0.04)
    axes.axvline(0, color=RULE, linewidth=0.8)
    axes.set_ylim(len(numbers) - 0.4, -0.6)
    categories(axes, labels, rows)
    axes.tick_params(axis="y", labelcolor=INK)
    put_ticks(axes.xaxis)
    axes.set_xlabel(unit)
    return figure


@styled()
def matrix(
    values: Sequence[Sequence[float]] | np.ndarray | Tensor,
    rows: Sequence[str],
    columns: Sequence[str],
    unit: str,
    row_title: str = "",
    column_title: str = "",
    best: Better | None = None,
) -> Picture:
    """A number in each cell, in a darker colour the higher it is.

    values: [rows, columns]; not finite where there is no value.   unit: what they are.
    best: whether the lowest or the highest of each column is the best, which is then framed.
    """
    numbers = np.asarray(values, dtype=float)
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    # Three significant digits of the largest value.
    largest = max(abs(low), abs(high)) or 1.0
    digits = int(np.clip(2 - np.floor(np.log10(largest)), 0, 4))
    texts = [[_cell(value, digits) for value in row] for row in numbers]
    labels = [wrapped(name, NAME) for name in rows]
    aside = max(map(text_width, labels)) + 0.3 + (0.25 if row_title else 0)
    cell = (WIDTH - aside) / len(columns)
    titles, upright = _column_titles(columns, cell)
    above = (
        LINE * max(h.count("\n") + 1 for h in titles) if upright else max(map(text_width, titles))
    )
    height = max(CELL, LINE * (1.5 + max(label.count("\n") for label in labels)))
    figure = new_figure(WIDTH, above + len(rows) * height + 1.0, fitted=True)
    axes = figure.add_subplot()
    shade = LinearSegmentedColormap.from_list("house", ["#f2f6fa", PALE, BLUE, "#173f6b"])
    shares = (numbers - low) / ((high - low) or 1.0)
    axes.imshow(np.ma.masked_invalid(shares), cmap=shade, vmin=0, vmax=1, aspect="auto")
    widest = max(text_width(text, NORMAL, "bold") for row in texts for text in row)
    size = float(np.clip(NORMAL * (cell - 0.08) / widest, *FONT_SIZES[::-1]))
    chosen = np.column_stack([_best(column, best) for column in numbers.T])
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            texts[row][column],
            ha="center",
            va="center",
            size=size,
            color=PAPER if share > MIN_DARK else INK,
            weight="bold" if chosen[row, column] else "normal",
        )
        if chosen[row, column]:
            corner = column - 0.47, row - 0.45
            axes.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, edgecolor=INK, linewidth=1.6))
    axes.set_xticks(range(len(columns)), titles, rotation=0 if upright else 90)
    axes.set_yticks(range(len(rows)), labels)
    # White lines between the cells.
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color=PAPER, linewidth=2)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(column_title)
    axes.set_ylabel(row_title)
    axes.spines[:].set_visible(False)
    note = f"; framed: the {best}est of its column" if best and chosen.any() else ""
    figure.supxlabel(f"{unit}{note}", size=SMALL, color=SOFT)
    return figure


def _best(values: np.ndarray, best: Better | None) -> np.ndarray:
    """Whether each value is the best, [n]; none is if there is only one."""
    finite = values[np.isfinite(values)]
    if best is None or len(finite) < 2:
        return np.zeros(len(values), dtype=bool)
    return np.asarray(values == (finite.min() if best == "low" else finite.max()))


def _cell(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def _column_titles(columns: Sequence[str], cell: float) -> tuple[list[str], bool]:
    """Column titles and whether they are horizontal: if they fit the cells, else vertical."""
    titles = [wrapped(name, cell - 0.06) for name in columns]
    if max(map(text_width, titles)) <= cell:
        return titles, True
    return [wrapped(name, NAME) for name in columns], False

"""Charts of many images, or of many scatter plots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from autoencode.data import scaled
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.figures.scatter import limits
from autoencode.report.images import tiles
from autoencode.report.labels import LINE, put_values, text_width, wrapped
from autoencode.report.style import (
    BLUE,
    SMALL,
    WIDTH,
    Picture,
    colours,
    legend_below,
    legend_rows,
    names,
    new_figure,
    styled,
)

# Inches: width of a row name, and side of a single scatter plot.
NAME, SINGLE = 1.05, 4.2
# A scatter plot of more points shows nothing more.
MAX_POINTS = 5_000


@styled()
def image_rows(rows: Sequence[tuple[str, Tensor]], column_titles: Sequence[str] = ()) -> Picture:
    """Rows of images [n, *X] of one size (uint8, or float in [0, 1]), each with its name.

    column_titles: text above the columns; empty for none.
    """
    labels = [wrapped(name, NAME, SMALL + 1) for name, _ in rows]
    columns = max(len(images) for _, images in rows)
    room = (WIDTH - 0.3 - max(map(text_width, labels))) / columns - 0.08
    above = [wrapped(title, room) for title in column_titles]
    drawn: list[Row] = []
    for label, (_, images) in zip(labels, rows, strict=True):
        pictures = tiles(scaled(images), kind=images.dim() - 1)
        drawn.append(Row(pictures, label, [] if drawn else above))
    return draw_rows(drawn)


@styled()
def code_planes(
    panels: Sequence[tuple[str, Float[Tensor, "n 2"], Tensor | None]], classes: Sequence[str]
) -> Picture:
    """A scatter plot for each (name, codes, labels [N] or None), with limits of its own.

    classes: the class names; a class has the same colour in all panels.
    """
    columns = min(len(panels), 2 if len(panels) in (2, 4) else 3)
    side = WIDTH / columns - 0.42 if len(panels) > 1 else SINGLE
    titles = [wrapped(name, side, SMALL + 0.5) for name, *_ in panels]
    in_rows = [titles[start : start + columns] for start in range(0, len(titles), columns)]
    lines = sum(max(title.count("\n") + 1 for title in row) for row in in_rows)
    present = sorted({label for *_, y in panels if y is not None for label in y.tolist()})
    class_names, paint = names(classes), colours(len(classes))
    labels = [class_names[label] for label in present]
    rows = len(in_rows)
    height = rows * (side + 0.35) + LINE * lines + 0.1 + 0.21 * legend_rows(labels)
    figure = new_figure(WIDTH, height, fitted=True)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, title, (_, codes, y) in zip(grid.flat, titles, panels, strict=False):
        _plane(axes, codes, None if y is None else np.array(paint)[y.cpu().numpy()])
        axes.set_title(title, size=SMALL + 0.5)
    if labels:
        legend_below(figure, grid[0, 0], labels, [paint[label] for label in present])
    return figure


def _plane(axes: Axes, codes: Tensor, dots: np.ndarray | None) -> None:
    codes = codes.detach().float().cpu()
    finite = codes.isfinite().all(1).nonzero().flatten()
    # In random order, so that no class hides another.
    drawn = finite[
        torch.randperm(len(finite), generator=torch.Generator().manual_seed(0))[:MAX_POINTS]
    ]
    axes.set_box_aspect(1)
    axes.tick_params(labelsize=SMALL - 1.5, length=0, pad=2)
    if not len(drawn):
        put_values(axes.xaxis, [])
        put_values(axes.yaxis, [])
        return
    x, y = codes[drawn].numpy().T
    size = float(np.clip(12_000 / len(drawn), 2.5, 14))
    paint = BLUE if dots is None else dots[drawn.numpy()]
    axes.scatter(x, y, s=size, c=paint, alpha=0.75, linewidths=0, rasterized=True)
    (left, bottom), (right, top) = (corner.tolist() for corner in limits(codes[finite]))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    for axis, low, high in ((axes.xaxis, left, right), (axes.yaxis, bottom, top)):
        ticks = MaxNLocator(3).tick_values(low, high)
        put_values(axis, ticks[(ticks >= low) & (ticks <= high)].tolist())

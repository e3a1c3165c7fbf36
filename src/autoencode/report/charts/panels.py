"""Charts of many images, or of many scatter plots."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.data import scaled
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.figures.scatter import class_styles, draw_points, present_classes
from autoencode.report.images import tiles
from autoencode.report.labels import LINE, put_ticks, text_width, wrapped
from autoencode.report.style import SMALL, WIDTH, Picture, dots, legend_below, new_figure, styled

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
    rows = len(in_rows)
    height = rows * (side + 0.35) + LINE * lines + 0.1
    figure = new_figure(WIDTH, height, fitted=True)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, title, (_, codes, y) in zip(grid.flat, titles, panels, strict=False):
        finite = codes.isfinite().all(1).nonzero().flatten()
        order = torch.randperm(len(finite), generator=torch.Generator().manual_seed(0))
        drawn = finite[order[:MAX_POINTS]]
        axes.set_title(title, size=SMALL + 0.5)
        axes.set_box_aspect(1)
        axes.tick_params(labelsize=SMALL - 1.5, length=0, pad=2)
        if len(drawn):
            shown = None if y is None else y[drawn].cpu()
            points = codes[drawn].detach().float().cpu()
            draw_points(figure, axes, points, shown, classes, share=side / WIDTH)
            put_ticks(axes.xaxis, most=3)
            put_ticks(axes.yaxis, most=3)
        else:
            axes.set(xticks=[], yticks=[])
    labels = [y for *_, y in panels if y is not None]
    present = present_classes(torch.cat(labels) if labels else None)
    legend_below(figure, dots(*class_styles(classes, present)))
    return figure

"""The decoded grid: what the decoder draws all over the code plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from autoencode.explore import lattice
from autoencode.report.figures.plane import axis_name, name_axes, window
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import numbers, short
from autoencode.report.images import Tiles, enlarge, montage, squarer
from autoencode.report.style import (
    ROUND,
    SHARP,
    WIDTH,
    Picture,
    names,
    new_figure,
    number,
    styled,
)
from autoencode.report.tables import Table, code_columns, left_out
from autoencode.report.view import View

TITLE = "The map, decoded"
# The prior's quantiles, or the part of the codes' range, that the grid covers.
PRIOR, CENTRAL = (0.02, 0.98), 0.01
# Rows of a grid of small images; larger ones need more room each.
ROWS, FEW, LARGE = 16, 12, 40
STRIP = (4, 8)
# A conditional model is told the same everywhere on the map: what is known of the first example.
FIRST = torch.tensor([0])
# Inches that the numbers and names of the axes take.
AROUND = 0.7
# An image may be so many times as wide as high; beyond, white is added.
LONGEST = 1.8


@styled()
def draw(view: View) -> Picture:
    """Images over the code plane; for codes of one number, a strip in reading order."""
    if view.latent == 1:
        return _strip(view)
    points = _points(view)
    figure, axes = draw_grid(view.decoded(view.plane.lift(points), FIRST), points)
    name_axes(axes, view)
    return figure


def _points(view: View) -> Float[Tensor, "m 2"]:
    """Places on the code plane in reading order, from the upper left."""
    n = ROWS if max(view.model.sizes.x[-2:]) <= LARGE else FEW
    if view.prior_codes is None:
        low, high = window(view.plane.project(view.codes), CENTRAL)
        return lattice(low.tolist(), high.tolist(), n)
    drawn = view.plane.project(view.prior_codes)
    shares = lattice((PRIOR[0],) * 2, (PRIOR[1],) * 2, n)
    return torch.stack([drawn[:, i].quantile(shares[:, i]) for i in (0, 1)], 1)


def draw_grid(pictures: Tiles, points: Tensor) -> tuple[Picture, Axes]:
    """n × n pictures without gaps, in reading order, with their points' values on the axes."""
    n = round(len(points) ** 0.5)
    pictures = squarer(pictures, LONGEST)
    height, width = pictures.shape[1:3]
    figure = new_figure(WIDTH, (WIDTH - AROUND) * height / width + AROUND, fitted=True)
    axes = figure.add_subplot()
    factor = max(1, int(np.ceil(WIDTH * SHARP / (n * width))))
    edge = (-0.5, n - 0.5, -0.5, n - 0.5)
    axes.imshow(montage(enlarge(pictures, factor), n), extent=edge, aspect=height / width)
    axes.grid(visible=False)
    for axis, values in ((axes.xaxis, points[:n, 0]), (axes.yaxis, points[::n, 1].flip(0))):
        # Round values, at the places between the pictures' centres where they fall.
        known = values.double().numpy()
        ticks = MaxNLocator(6, steps=ROUND).tick_values(known[0], known[-1])
        ticks = ticks[(ticks >= known[0]) & (ticks <= known[-1])]
        axis.set_ticks(np.interp(ticks, known, np.arange(n)), [number(tick) for tick in ticks])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes


def _strip(view: View) -> Picture:
    rows, columns = STRIP
    values = _values(view, rows * columns)
    pictures = view.decoded(values.unsqueeze(1), FIRST)
    return draw_rows(
        [
            Row(
                pictures[start : start + columns],
                notes=[short(v) for v in values[start : start + columns].tolist()],
            )
            for start in range(0, rows * columns, columns)
        ]
    )


def _values(view: View, n: int) -> Float[Tensor, " n"]:
    """Codes of one number, in order."""
    if view.prior_codes is not None:
        return view.prior_codes[:, 0].quantile(torch.linspace(*PRIOR, n))
    low, high = view.codes[:, 0].quantile(torch.tensor([CENTRAL, 1 - CENTRAL])).tolist()
    return torch.linspace(low, high, n)


def table(view: View) -> Table:
    """A row for each picture, in reading order: its place on the plane, and its code."""
    if view.latent == 1:
        values = _values(view, STRIP[0] * STRIP[1])
        return Table({"image": range(1, len(values) + 1), **code_columns(values.unsqueeze(1))})
    points = _points(view)
    n = round(len(points) ** 0.5)
    columns: dict[str, Any] = {
        "row": np.arange(n).repeat(n) + 1,
        "column": np.tile(np.arange(n) + 1, n),
    }
    # On a plane that is all of latent space the place is the code.
    if not view.plane.whole:
        columns |= {axis_name(view, i): points[:, i].numpy() for i in (0, 1)}
    columns |= code_columns(view.plane.lift(points))
    return Table(columns, note=left_out(view.latent))


def about(view: View) -> str:
    """What the figure is."""
    if view.latent == 1:
        return "What codes decode to, in reading order; the numbers are the codes."
    return "Each picture is what the code at its place on the code plane decodes to."


def see(view: View) -> str:
    """What to see in it."""
    off = _told(view)
    if view.latent > 2:
        off += (
            f"Codes have {numbers(view.latent)}: the grid lies on the plane of their first two "
            "principal components, through their mean. "
        )
    if view.prior_codes is None:
        return (
            f"{off}The codes shown are those of the region that nearly all test codes lie in. "
            "Inside their clouds the images are clear; between and beyond, where the decoder was "
            "never asked for anything, it blends and invents."
        )
    return (
        f"{off}The codes shown reach from the prior's {PRIOR[0]:.0%} to its {PRIOR[1]:.0%} "
        "quantile, so that each step is as likely. One image turns into the next, with little "
        "between them that looks like nothing."
    )


def _told(view: View) -> str:
    if view.context is None:
        return ""
    if not view.by_label:
        return "The model is told the same everywhere: what is known of the first test example. "
    name = names(view.classes)[int(view.context[0])]
    return f"The model is told the same everywhere: the class “{name}”. "


def alt(view: View) -> str:
    """The figure in words."""
    if view.latent == 1:
        return "A strip of images, decoded from evenly spread codes."
    return "A square grid of images, decoded from codes all over the code plane."

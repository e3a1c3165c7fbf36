"""Images decoded from a grid of codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.contract import Space
from autoencode.explore import lattice
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.latent_space import axis_name
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.figures.scatter import limits
from autoencode.report.formatting import latent_dimensions, short, z_name
from autoencode.report.images import Tiles, enlarge, montage, squarer
from autoencode.report.labels import tick_label
from autoencode.report.style import ROUND, SHARP, WIDTH, Picture, names, new_figure, styled
from autoencode.report.tables import Column, Table, code_columns, omitted_dimensions
from autoencode.report.view import View

# The grid covers these quantiles of the distribution of random codes; without one, it omits this
# share of the codes at each side.
QUANTILES, OMITTED = (0.02, 0.98), 0.01
# Rows of a grid of images, and of a grid of images with a side of more than so many pixels.
ROWS, ROWS_OF_LARGE, LARGE = 16, 12, 40
STRIP_ROWS, STRIP_COLUMNS = 4, 8
# A conditional model gets the context of the first example everywhere.
FIRST = torch.tensor([0])
# Inches for the labels of the axes.
MARGIN = 0.7
# A wider image is padded with white to this ratio of width to height.
MAX_RATIO = 1.8


@final
@dataclass(frozen=True)
class DecodedGrid(ViewFigure):
    """A grid over the latent plane, decoded; of one latent dimension, a strip in reading order."""

    key = "decoded-grid"
    title = "Decoded latent grid"

    @classmethod
    def applies(cls, view: View) -> bool:
        """Codes of a finite code book have nothing between them."""
        return view.model.space is not Space.CODES

    @styled()
    def draw(self) -> Picture:
        """The images at their places on the plane."""
        view, points = self.view, self._points()
        pictures = view.decoded(self._codes(), FIRST)
        if view.latent == 1:
            rows = []
            for start in range(0, STRIP_ROWS * STRIP_COLUMNS, STRIP_COLUMNS):
                block = slice(start, start + STRIP_COLUMNS)
                below = [short(value) for value in points[block, 0].tolist()]
                rows.append(Row(pictures[block], below=below))
            return draw_rows(rows)
        figure, axes = draw_grid(pictures, points)
        axes.set(xlabel=axis_name(view, 0), ylabel=axis_name(view, 1))
        return figure

    def _points(self) -> Float[Tensor, "m k"]:
        """Positions in reading order: [m, 2] on the plane, or [m, 1] for one latent dimension."""
        view, codes = self.view, self.view.generated_codes
        if view.latent == 1:
            n, source = STRIP_ROWS * STRIP_COLUMNS, view.codes if codes is None else codes
            if codes is None:
                ends = source[:, 0].quantile(torch.tensor([OMITTED, 1 - OMITTED]))
                return torch.linspace(ends[0].item(), ends[1].item(), n).unsqueeze(1)
            return source[:, 0].quantile(torch.linspace(*QUANTILES, n)).unsqueeze(1)
        n = ROWS if max(view.model.sizes.x[-2:]) <= LARGE else ROWS_OF_LARGE
        if codes is None:
            low, high = limits(view.plane.project(view.codes), OMITTED)
            return lattice(low.tolist(), high.tolist(), n)
        projected = view.plane.project(codes)
        shares = lattice((QUANTILES[0],) * 2, (QUANTILES[1],) * 2, n)
        return torch.stack([projected[:, i].quantile(shares[:, i]) for i in (0, 1)], 1)

    def _codes(self) -> Float[Tensor, "m d"]:
        points = self._points()
        return points if self.view.latent == 1 else self.view.plane.lift(points)

    def table(self) -> Table:
        """A row for each image, in reading order: its place on the plane, and its code."""
        view, points, codes = self.view, self._points(), self._codes()
        if view.latent == 1:
            return Table({"image": range(1, len(codes) + 1), **code_columns(codes)})
        n = round(len(points) ** 0.5)
        columns: dict[str, Column] = {
            "row": np.arange(n).repeat(n) + 1,
            "column": np.tile(np.arange(n) + 1, n),
        }
        # On a plane that is the complete latent space, the position is the code.
        if not view.plane.complete:
            columns |= {axis_name(view, i): points[:, i].numpy() for i in (0, 1)}
        columns |= code_columns(codes)
        return Table(columns, note=omitted_dimensions(view.latent))

    def caption(self) -> str:
        view = self.view
        if view.latent == 1:
            parts = [f"Decoded values of {z_name(1)}, in reading order; each value is below."]
        else:
            parts = ["Each image is decoded from the code at its position."]
        if view.latent > 2:
            parts.append(
                f"Codes have {latent_dimensions(view.latent)}: the grid is in the plane of their "
                "first two principal components, through their mean."
            )
        if view.generated_codes is None:
            parts.append("It covers the range of the test codes without the outermost 1%.")
        else:
            low, high = QUANTILES
            parts.append(f"It covers the {low:.0%} to {high:.0%} quantiles of {view.code_source}.")
        if view.class_conditional:
            assert view.context is not None
            name = names(view.classes)[int(view.context[0])]
            parts.append(f"All images are conditioned on the class “{name}”.")
        elif view.context is not None:
            parts.append("All images are conditioned on the context of the first test example.")
        return " ".join(parts)

    def findings(self) -> str:
        images = self.view.decode(self._codes(), FIRST)
        share = measurements.implausible_share(self.view, images)
        return claims.off_manifold("Images of this grid", share)

    def alt(self) -> str:
        if self.view.latent == 1:
            return "A strip of images, decoded from values of the one latent dimension."
        return "A square grid of images, decoded from a grid of codes in the latent plane."


def draw_grid(pictures: Tiles, points: Tensor) -> tuple[Picture, Axes]:
    """n × n images without gaps, in reading order, with the values of `points` on the axes."""
    n = round(len(points) ** 0.5)
    pictures = squarer(pictures, MAX_RATIO)
    height, width = pictures.shape[1:3]
    figure = new_figure(WIDTH, (WIDTH - MARGIN) * height / width + MARGIN, fitted=True)
    axes = figure.add_subplot()
    factor = max(1, int(np.ceil(WIDTH * SHARP / (n * width))))
    edge = (-0.5, n - 0.5, -0.5, n - 0.5)
    axes.imshow(montage(enlarge(pictures, factor), n), extent=edge, aspect=height / width)
    axes.grid(visible=False)
    for axis, values in ((axes.xaxis, points[:n, 0]), (axes.yaxis, points[::n, 1].flip(0))):
        # Round values, at their places between the centres of the images.
        positions = values.double().numpy()
        ticks = MaxNLocator(6, steps=ROUND).tick_values(positions[0], positions[-1])
        ticks = ticks[(ticks >= positions[0]) & (ticks <= positions[-1])]
        axis.set_ticks(
            np.interp(ticks, positions, np.arange(n)), [tick_label(tick) for tick in ticks]
        )
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, axes

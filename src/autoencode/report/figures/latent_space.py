"""The codes of the test examples, coloured by class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.scatter import (
    MIN_POINTS,
    OUTLIERS,
    class_styles,
    draw_points,
    limits,
)
from autoencode.report.formatting import count, latent_dimensions, z_name
from autoencode.report.labels import put_ticks
from autoencode.report.style import BLUE, FAINT, WIDTH, Picture, categories, new_figure, styled
from autoencode.report.tables import Table, code_columns
from autoencode.report.view import View

BINS = 80


@final
@dataclass(frozen=True)
class LatentSpace(ViewFigure):
    """A scatter plot of the codes; of one latent dimension, a histogram for each class."""

    key = "latent-space"
    title = "Latent space"
    draws_examples = False

    @styled()
    def draw(self) -> Picture:
        """A point for each code, or a histogram for each class."""
        height = WIDTH + 0.1
        if self.view.latent == 1:
            height = 1.0 + max(2.2, 0.42 * len(self.view.present_classes()))
        figure = new_figure(WIDTH, height, fitted=True)
        self.draw_into(figure, figure.add_subplot())
        return figure

    def draw_into(self, figure: MatplotlibFigure, axes: Axes) -> None:
        """Draw the codes into axes; the legend is below the complete figure."""
        view = self.view
        if view.latent == 1:
            self._histograms(axes)
            return
        draw_points(figure, axes, view.plane.project(view.codes), view.y, view.classes)
        put_ticks(axes.xaxis)
        put_ticks(axes.yaxis)
        axes.set(xlabel=axis_name(view, 0), ylabel=axis_name(view, 1))

    def _histograms(self, axes: Axes) -> None:
        view, values = self.view, self.view.codes[:, 0]
        outliers = OUTLIERS if len(values) >= MIN_POINTS else 0.0
        low, high = values.quantile(torch.tensor([outliers, 1 - outliers])).tolist()
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, BINS + 1)
        present = view.present_classes()
        labels, paint = class_styles(view.classes, present) if present else (["all"], [BLUE])
        groups = [values[view.members(label)] for label in present] if present else [values]
        for row, (group, colour) in enumerate(zip(groups, paint, strict=True)):
            heights, _ = np.histogram(group.numpy(), edges)
            # Each class is scaled to its own maximum: shapes are compared, not sizes.
            tops = -row + 0.88 * heights / max(1, heights.max())
            axes.axhline(-row, color=FAINT, linewidth=0.8)
            axes.stairs(tops, edges, baseline=-row, fill=True, color=colour)
        axes.set(xlim=(low, high), xlabel=z_name(1), ylabel="class")
        categories(axes, labels, -np.arange(len(groups)))

    def table(self) -> Table:
        """A row for each code, in the order of the test set."""
        view = self.view
        if view.latent == 1 or view.plane.complete:
            where = code_columns(view.codes)
        else:
            points = view.plane.project(view.codes).numpy()
            where = {axis_name(view, i): points[:, i] for i in (0, 1)}
        return Table(
            {
                **view.example_columns(torch.arange(len(view.codes))),
                **where,
                "squared error, summed over one example": view.errors.numpy(),
            },
            # There are thousands of rows, and more digits change no picture.
            digits=3,
        )

    def caption(self) -> str:
        view, n = self.view, count(len(self.view.codes))
        shown = n if view.total == len(view.codes) else f"{n} of {count(view.total)}"
        if view.latent == 1:
            start = (
                f"Histograms of {z_name(1)}, the one latent dimension, over {shown} test examples"
            )
            rows = ", one for each class, each scaled to its own maximum" if view.classes else ""
            return f"{start}{rows}."
        start = f"Each point is the code of one of {shown} test examples."
        if not view.plane.complete:
            left = 1 - sum(view.plane.share)
            start += (
                f" Codes have {latent_dimensions(view.latent)}; the axes are their first two "
                f"principal components, which leave out {left:.0%} of the variance."
            )
        if view.y is None:
            return start
        role = "was not trained on"
        if view.learns_labels:
            role = "learns to predict"
        elif view.class_conditional or view.model.sizes.context:
            role = "is conditioned on"
        return (
            f"{start} Colours are the labels, which the model {role}; each class name is at the "
            "median of its class."
        )

    def findings(self) -> str:
        view, codes = self.view, self.view.codes
        match = measurements.prior_match(view)
        if match is not None:
            parts = [claims.codes_and_prior(match)]
        else:
            spread = codes.std(0, correction=0)
            ends = spread.min().item(), spread.max().item()
            parts = [claims.codes_alone(codes.min().item(), codes.max().item(), ends)]
        if (sparse := measurements.sparsity(view)) is not None:
            parts.append(claims.sparse_codes(sparse))
        if view.y is not None and len(view.present_classes()) > 1:
            parts.append(
                claims.label_agreement("codes", *measurements.label_agreement(codes, view.y))
            )
        if outside := _outside(view):
            parts.append(f"{count(outside)} codes are outside the axes.")
        return " ".join(parts)

    def alt(self) -> str:
        view = self.view
        kind = "A histogram for each class" if view.latent == 1 else "A scatter plot"
        coloured = ""
        if view.y is not None:
            coloured = f", coloured by {len(view.present_classes())} classes"
        return f"{kind} of the codes of {count(len(view.codes))} test examples{coloured}."


def axis_name(view: View, axis: int) -> str:
    """The label of an axis of the plane, 0 or 1."""
    if view.plane.complete:
        return z_name(axis + 1)
    return f"principal component {axis + 1} ({view.plane.share[axis]:.0%} of variance)"


def _outside(view: View) -> int:
    if view.latent == 1:
        return 0
    points = view.plane.project(view.codes)
    low, high = limits(points)
    return int(((points < low) | (points > high)).any(1).sum())

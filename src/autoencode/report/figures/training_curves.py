"""Squared error and each term of the objective during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

import autoencode.report.claims as claims
from autoencode.models.describe import term_unit
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.style import (
    BLUE,
    ORANGE,
    WIDTH,
    Picture,
    dots,
    legend_below,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

Line = Mapping[str, Any]
# The values of the first steps are far above all others: axes are scaled to what follows this
# share of the steps.
START = 0.05
# Inches of a panel, and of the first one.
PANEL, FIRST = 1.75, 2.6
SQUARED_ERROR = "squared error, summed over one example"


class Curve(NamedTuple):
    """One quantity against the steps, [n, 2] of step and value each."""

    name: str
    training: np.ndarray
    validation: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """Both parts together."""
        return np.concatenate([self.training, self.validation])

    def limits(self) -> tuple[float, float] | None:
        """The lowest and the highest value on the axis; None for a curve without points."""
        points = self.points
        if not len(points):
            return None
        low = points[:, 1].min()
        high = points[points[:, 0] >= START * points[:, 0].max(), 1].max()
        margin = 0.06 * (high - low) or 0.5
        return low - margin, high + margin


@final
@dataclass(frozen=True)
class TrainingCurves(Figure):
    """The lines of a training log; `units` of the terms, "" for a term without one."""

    log: Sequence[Line]
    units: Mapping[str, str]

    key = "training-curves"
    title = "Training curves"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Where the run has a log."""
        if not (log := context.run.log()):
            return None
        figure = cls(log, {})
        units = {name: term_unit(context.run.recipe, name) for name in figure.terms()}
        return cls(log, units)

    def terms(self) -> list[str]:
        """The names of the terms in the log."""
        return list({name: None for line in self._lines() for name in line["terms"]})

    def _lines(self) -> list[Line]:
        """First the lines of training data, then those of validation data."""
        training = [{**line, "data": "training"} for line in self.log if "loss" in line]
        validation = [
            {**line["validation"], "step": line["step"], "data": "validation"}
            for line in self.log
            if "validation" in line
        ]
        return [*training, *validation]

    def curves(self) -> list[Curve]:
        """The squared error first, then each term."""
        data, step, _, *columns = (np.asarray(each) for each in self.table().columns.values())
        found = []
        for name, column in zip(list(self.table().columns)[3:], columns, strict=True):
            values = column.astype(float)
            training, validation = (
                np.column_stack([step, values])[np.isfinite(values) & (data == part)]
                for part in ("training", "validation")
            )
            # A term of labels is 0 on data without labels: that is no measurement.
            measured = validation if validation[:, 1].any() else validation[:0]
            found.append(Curve(name, training, measured))
        return found

    def _title(self, name: str) -> str:
        unit = self.units.get(name, "")
        return f"{name}, {unit} per example" if unit else f"{name}, per example"

    @styled()
    def draw(self) -> Picture:
        """A panel for the squared error and one for each term, over one axis of steps."""
        curves = self.curves()
        heights = [FIRST, *[PANEL] * (len(curves) - 1)]
        figure = new_figure(WIDTH, sum(heights) + 0.3, fitted=True)
        panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False, height_ratios=heights)
        for axes, curve in zip(panels[:, 0], curves, strict=True):
            _panel(axes, curve)
        panels[-1, 0].set_xlabel("step")
        panels[-1, 0].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        legend_below(figure, dots(["training", "validation"], [BLUE, ORANGE]))
        return figure

    def table(self) -> Table:
        """A row for each line of the log, first of training and then of validation data."""
        lines = self._lines()
        columns: dict[str, list[Any]] = {
            "data": [line["data"] for line in lines],
            "step": [line["step"] for line in lines],
            "loss, per example": [line["loss"] for line in lines],
            SQUARED_ERROR: [line["squared_error"] for line in lines],
        }
        for name in self.terms():
            columns[self._title(name)] = [line["terms"].get(name) for line in lines]
        return Table(columns, digits=6)

    def caption(self) -> str:
        return (
            "The line is the training data, the dots are the validation data, which the model is "
            "not trained on. A validation error that rises while the training error falls is a "
            "sign of overfitting."
        )

    def findings(self) -> str:
        curves, parts = self.curves(), []
        if len(points := curves[0].validation):
            best = points[points[:, 1].argmin()]
            (last_step, last), (best_step, lowest) = points[-1].tolist(), best.tolist()
            parts.append(claims.validation(int(last_step), last, int(best_step), lowest))
        cut = [
            curve
            for curve in curves
            if (ends := curve.limits()) and curve.points[:, 1].max() > ends[1]
        ]
        if cut:
            parts.append("Values of the first steps are above the axes and are not shown.")
        return " ".join(parts)

    def alt(self) -> str:
        names = ", ".join(curve.name.split(",")[0] for curve in self.curves())
        return f"Curves over the steps of training, for training and validation data: {names}."


def _panel(axes: Axes, curve: Curve) -> None:
    axes.plot(*curve.training.T, color=BLUE, linewidth=1.2)
    axes.plot(*curve.validation.T, "o-", color=ORANGE, markersize=3.5, linewidth=1.0)
    axes.set_title(curve.name)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if limits := curve.limits():
        axes.set_ylim(*limits)

"""Squared error of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from autoencode.report.charts.bars import bars
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.formatting import count, short
from autoencode.report.style import INK, Picture, names, styled
from autoencode.report.tables import Column, Table

MAX_BARS = 40


@final
@dataclass(frozen=True)
class ClassErrors(Figure):
    """Mean squared error of the test examples of each class, and of all, `mean`."""

    errors: Sequence[float]
    classes: Sequence[str]
    mean: float

    key = "class-errors"
    title = "Squared error by class"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Where the errors by class were measured."""
        if not (errors := context.metrics.get("squared_error_by_class")):
            return None
        return cls(errors, context.data.classes, context.metrics["squared_error"])

    @styled()
    def draw(self) -> Picture:
        """A bar for each class, the highest error on top, and a line at the mean of all."""
        order = np.argsort(-np.array(self.errors), kind="stable")[:MAX_BARS]
        labels = names(self.classes)
        unit = "squared error, summed over one example; dashed: the mean"
        figure = bars([labels[k] for k in order], [self.errors[k] for k in order], unit)
        dashes = (0, (4, 3))
        figure.axes[0].axvline(self.mean, color=INK, linewidth=1.0, linestyle=dashes, zorder=0.9)
        return figure

    def table(self) -> Table:
        """A row for each class, in the order of the classes."""
        columns: dict[str, Column] = {
            "class": list(self.classes),
            "squared error, mean of the examples": list(self.errors),
        }
        return Table(columns, digits=6)

    def caption(self) -> str:
        n = len(self.errors)
        which = f"the {MAX_BARS} highest of {count(n)} classes" if n > MAX_BARS else "each class"
        return (
            f"The mean squared error of the test examples of {which}, summed over the values of an "
            "example."
        )

    def findings(self) -> str:
        labels, values = names(self.classes), np.array(self.errors)
        worst, best = int(values.argmax()), int(values.argmin())
        words = f"“{labels[worst]}” has the highest error, {short(values[worst])}"
        if values[best] > 0:
            words += f": {values[worst] / values[best]:.1f} times the error of “{labels[best]}”"
        return f"{words}. The mean over all examples is {short(self.mean)}."

    def alt(self) -> str:
        return (
            f"Bars of the squared error of {len(self.errors)} classes, from "
            f"{short(max(self.errors))} down to {short(min(self.errors))}."
        )

"""The Pareto front of two metrics: the trials that no other trial beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from autoencode.report.charts.lines import HEIGHT
from autoencode.report.figures.sweep.base import SweepFigure, SweepView
from autoencode.report.labels import put_ticks
from autoencode.report.style import (
    BLUE,
    ORANGE,
    SMALL,
    WIDTH,
    Picture,
    dots,
    legend_below,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

# The numbers of more trials than this would cover each other.
MAX_NUMBERS = 12


@final
@dataclass(frozen=True)
class ParetoFront(SweepFigure):
    """A dot for each complete trial, and a line through those of the front."""

    key = "pareto-front"
    title = "Pareto front"

    @classmethod
    def for_sweep(cls, view: SweepView) -> Sequence[Self]:
        """One figure, of two metrics."""
        return [cls(view)] if len(view.metrics) == 2 and view.complete else []

    @property
    def front(self) -> list[int]:
        """Positions among the complete trials of those in the front, by the first metric."""
        found = [i for i, trial in enumerate(self.view.complete) if trial.best]
        return sorted(found, key=lambda i: self.view.complete[i].metrics)

    @styled()
    def draw(self) -> Picture:
        figure = new_figure(WIDTH, HEIGHT, fitted=True)
        axes = figure.add_subplot()
        points = np.array([trial.metrics for trial in self.view.complete])
        front = self.front
        axes.plot(*points.T, "o", color=BLUE, markersize=4.5)
        axes.plot(*points[front].T, "o-", color=ORANGE, markersize=5.5, zorder=3)
        if len(front) <= MAX_NUMBERS:
            for i in front:
                axes.annotate(
                    str(self.view.complete[i].number),
                    tuple(points[i]),
                    (5, 4),
                    textcoords="offset points",
                    size=SMALL,
                )
        put_ticks(axes.xaxis)
        put_ticks(axes.yaxis)
        first, second = self.view.metrics
        axes.set_xlabel(first.label)
        axes.set_title(second.label)
        legend_below(figure, dots(["complete trial", "Pareto front"], [BLUE, ORANGE]))
        return figure

    def caption(self) -> str:
        return (
            "Both metrics of each complete trial on the validation part. No trial is better than "
            "one of the Pareto front in one metric without being worse in the other. The numbers "
            "are those of the trials."
        )

    def findings(self) -> str:
        n, of = len(self.front), len(self.view.complete)
        return f"{n} of {of} complete trials {'is' if n == 1 else 'are'} in the front."

    def alt(self) -> str:
        first, second = (metric.title for metric in self.view.metrics)
        return f"Dots of {len(self.view.complete)} trials: {second} over {first}, and the front."

    def table(self) -> Table:
        """A row for each trial of the front."""
        trials = [self.view.complete[i] for i in self.front]
        return Table(
            {
                "trial": [trial.number for trial in trials],
                **{
                    metric.name: [trial.metrics[i] for trial in trials]
                    for i, metric in enumerate(self.view.metrics)
                },
            },
            digits=17,
        )

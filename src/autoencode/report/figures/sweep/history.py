"""The metric of each trial, in the order in which the trials were chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from autoencode.report.charts.lines import HEIGHT
from autoencode.report.figures.sweep.base import SweepMetricFigure, SweepView
from autoencode.report.formatting import short
from autoencode.report.labels import put_ticks, scale
from autoencode.report.style import (
    BLUE,
    ORANGE,
    RULE,
    WIDTH,
    Picture,
    dots,
    legend_below,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

# Values that span more than this factor have a logarithmic axis.
LOG_SPAN = 30.0


@final
@dataclass(frozen=True)
class SweepHistory(SweepMetricFigure):
    """A dot for each complete trial and a line for the best so far."""

    first_key = "history"
    heading = "History"

    @classmethod
    def for_sweep(cls, view: SweepView) -> Sequence[Self]:
        """One figure for each metric."""
        return [cls(view, i) for i in range(len(view.metrics))] if view.complete else []

    @property
    def values(self) -> np.ndarray:
        """The metric of each complete trial."""
        return np.array([trial.metrics[self.position] for trial in self.view.complete])

    def best_so_far(self) -> np.ndarray:
        """The best metric up to each complete trial."""
        best = np.minimum if self.metric.better == "lower" else np.maximum
        found: np.ndarray = best.accumulate(self.values)
        return found

    @styled()
    def draw(self) -> Picture:
        figure = new_figure(WIDTH, HEIGHT, fitted=True)
        axes = figure.add_subplot()
        numbers = [trial.number for trial in self.view.complete]
        values = self.values
        log = bool(values.min() > 0 and values.max() > LOG_SPAN * values.min())
        axes.plot(numbers, self.best_so_far(), color=ORANGE, drawstyle="steps-post", zorder=2)
        axes.plot(numbers, values, "o", color=BLUE, markersize=4.5, zorder=3)
        for trial in self.view.trials:
            if trial.state in ("pruned", "failed"):
                axes.axvline(trial.number, 0, 0.03, color=RULE, linewidth=2)
        scale(axes.set_yscale, values, log=log)
        put_ticks(axes.yaxis, log=log)
        put_ticks(axes.xaxis)
        axes.set_xlabel("trial")
        axes.set_title(self.metric.label)
        shown = [("complete", BLUE), ("best so far", ORANGE)]
        shown += [("pruned or failed", RULE)] if len(numbers) < len(self.view.trials) else []
        legend_below(figure, dots(*map(list, zip(*shown, strict=True))))
        return figure

    def caption(self) -> str:
        return (
            f"{self.metric.title} of each complete trial on the validation part, and the best "
            "value up to it. Trials that were pruned or failed are marked on the axis."
        )

    def findings(self) -> str:
        best = self.best_so_far()
        first = self.view.complete[int(np.flatnonzero(self.values == best[-1])[0])].number
        return (
            f"The best value is {short(float(best[-1]))}, of trial {first}; that of the first "
            f"complete trial is {short(float(self.values[0]))}."
        )

    def alt(self) -> str:
        return (
            f"Dots: {self.metric.title} over the number of the trial, "
            f"from {short(float(self.values.min()))} to {short(float(self.values.max()))}."
        )

    def table(self) -> Table | None:
        """All trials; below the first of these figures only."""
        return self.view.table() if self.position == 0 else None

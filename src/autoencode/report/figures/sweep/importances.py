"""How much of a metric's variance over the trials each varied argument explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from autoencode.report.charts.bars import bars
from autoencode.report.figures.sweep.base import SweepMetricFigure, SweepView
from autoencode.report.style import Picture
from autoencode.report.tables import Table


@final
@dataclass(frozen=True)
class SweepImportances(SweepMetricFigure):
    """A bar for each varied argument."""

    first_key = "importances"
    heading = "Importance"

    @classmethod
    def for_sweep(cls, view: SweepView) -> Sequence[Self]:
        """One figure for each metric whose importances are known, of two arguments or more."""
        known = [len(view.importances.get(metric.name, ())) > 1 for metric in view.metrics]
        return [cls(view, i) for i, shown in enumerate(known) if shown]

    @property
    def shares(self) -> list[tuple[str, float]]:
        """Name and share, the largest first."""
        found = self.view.importances[self.metric.name]
        return sorted(found.items(), key=lambda each: -each[1])

    def draw(self) -> Picture:
        return bars(
            [name for name, _ in self.shares],
            [share for _, share in self.shares],
            "share of the variance",
        )

    def caption(self) -> str:
        return (
            f"How strongly each varied argument decides {self.metric.title} over the complete "
            "trials, as estimated by Optuna; the shares add up to 1. With few trials the estimate "
            "is rough."
        )

    def alt(self) -> str:
        words = ", ".join(f"{name} {share:.0%}" for name, share in self.shares)
        return f"Bars of the importance of each argument: {words}."

    def table(self) -> Table:
        """A row for each argument."""
        names, shares = zip(*self.shares, strict=True)
        return Table({"argument": names, "importance": shares})

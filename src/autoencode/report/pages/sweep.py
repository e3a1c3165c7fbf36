"""The page of a sweep: its best trials, and figures of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoencode.report.figures.base import Figure
from autoencode.report.figures.sweep.base import ShownTrial, SweepFigure, SweepView, text_of
from autoencode.report.figures.sweep.history import SweepHistory
from autoencode.report.figures.sweep.importances import SweepImportances
from autoencode.report.figures.sweep.parallel import ParallelCoordinates
from autoencode.report.figures.sweep.pareto import ParetoFront
from autoencode.report.formatting import count, duration, short
from autoencode.report.pages.details import Detail
from autoencode.report.pages.html import write_page

# The kinds of figures, in their order on the page.
SWEEP_FIGURES: tuple[type[SweepFigure], ...] = (
    SweepHistory,
    ParetoFront,
    SweepImportances,
    ParallelCoordinates,
)
# Rows of the table of the best trials.
MAX_BEST = 10


@dataclass(frozen=True)
class SweepPage:
    """The content of the page of a sweep.

    lead: what was varied and by what the sweep chose, a sentence.   ranked: the complete trials,
    best first.   again: what trains the best trial again.   data, versions: what it depends on.
    """

    title: str
    lead: str
    view: SweepView
    ranked: Sequence[ShownTrial]
    again: str
    data: Sequence[Detail]
    versions: Sequence[Detail]

    def figures(self) -> list[Figure]:
        """The figures that apply to these trials."""
        return [figure for kind in SWEEP_FIGURES for figure in kind.for_sweep(self.view)]

    def states(self) -> str:
        """How many trials there are of each state, and for how long they were trained."""
        counts = Counter(trial.state for trial in self.view.trials)
        words = ", ".join(f"{count(n)} {state}" for state, n in counts.items())
        seconds = sum(trial.seconds or 0.0 for trial in self.view.trials)
        return f"{count(len(self.view.trials))} trials: {words}; {duration(seconds)} of training."

    def best_title(self) -> str:
        """The heading of the table of trials."""
        return "Best trials" if len(self.view.metrics) == 1 else "Pareto front"

    def columns(self) -> list[str]:
        """The columns of the table of the best trials."""
        return [*(metric.title for metric in self.view.metrics), *self.view.varied]

    def rows(self) -> list[tuple[ShownTrial, list[str]]]:
        """The best trials, each with its cells."""
        shown = [trial for trial in self.ranked if trial.best or len(self.view.metrics) == 1]
        return [
            (
                trial,
                [
                    *map(short, trial.metrics),
                    *(text_of(trial.values[name]) for name in self.view.varied),
                ],
            )
            for trial in shown[:MAX_BEST]
        ]

    def notes(self) -> list[ShownTrial]:
        """The trials that failed, with the reason."""
        return [trial for trial in self.view.trials if trial.state == "failed"]


def write_sweep_page(page: SweepPage, path: Path) -> Path:
    """Write the page as one HTML file; returns the path.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    return write_page(Path(path), "sweep.html", title=page.title, page=page)

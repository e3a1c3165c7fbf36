"""The trials of a sweep as its figures show them, and the base class of these figures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from autoencode.report.figures.base import Figure
from autoencode.report.tables import Table


@dataclass(frozen=True)
class ShownMetric:
    """A metric of a sweep: its name, its title, and which direction is better."""

    name: str
    title: str
    better: Literal["lower", "higher"]

    @property
    def label(self) -> str:
        """The title with the direction, for an axis."""
        return f"{self.title}, {self.better} is better"


@dataclass(frozen=True)
class ShownTrial:
    """A trial of a sweep.

    state: "complete", "pruned", "failed" or "running".   values: by the name of what is varied.
    metrics: in the order of those of the sweep; () unless complete.   run: the path of its run,
    relative to the page.   seconds: of its training; None where unknown.   best: it is among the
    best.   note: why it was pruned or failed.
    """

    number: int
    state: str
    values: Mapping[str, Any]
    metrics: tuple[float, ...]
    run: str
    seconds: float | None = None
    best: bool = False
    note: str = ""


@dataclass(frozen=True)
class SweepView:
    """What the page of a sweep shows.

    trials: in the order of their numbers.   varied: name -> whether its scale is logarithmic; None
    for values without an order.   importances: metric -> name -> share of the variance, if known.
    """

    metrics: Sequence[ShownMetric]
    trials: Sequence[ShownTrial]
    varied: Mapping[str, bool | None]
    importances: Mapping[str, Mapping[str, float]]

    @property
    def complete(self) -> list[ShownTrial]:
        """The trials with metrics."""
        return [trial for trial in self.trials if trial.state == "complete"]

    def table(self) -> Table:
        """All trials: what is varied, the metrics, and what became of each."""
        return Table(
            {
                "trial": [trial.number for trial in self.trials],
                **{
                    name: [_cell(trial.values[name]) for trial in self.trials]
                    for name in self.varied
                },
                **{
                    metric.name: [
                        trial.metrics[i] if trial.metrics else None for trial in self.trials
                    ]
                    for i, metric in enumerate(self.metrics)
                },
                "state": [trial.state for trial in self.trials],
                "seconds": [trial.seconds for trial in self.trials],
            },
            digits=17,
        )


@dataclass(frozen=True)
class SweepFigure(Figure):
    """A figure of all trials."""

    view: SweepView

    @classmethod
    @abstractmethod
    def for_sweep(cls, view: SweepView) -> Sequence[Self]:
        """The figures of this kind: one, one for each metric, or none where it does not apply."""


@dataclass(frozen=True)
class SweepMetricFigure(SweepFigure):
    """A figure of one metric of all trials.

    position: of the metric.   first_key, heading: its key and title, of the first or only metric.
    """

    position: int = 0
    first_key: ClassVar[str]
    heading: ClassVar[str]

    @property
    def metric(self) -> ShownMetric:
        """The metric that is shown."""
        return self.view.metrics[self.position]

    @property
    def key(self) -> str:  # type: ignore[override]  # each metric has its own
        return f"{self.first_key}-{self.position + 1}" if self.position else self.first_key

    @property
    def title(self) -> str:  # type: ignore[override]  # each metric has its own
        several = len(self.view.metrics) > 1
        return f"{self.heading}: {self.metric.title}" if several else self.heading


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else text_of(value)


def text_of(value: Any) -> str:
    """A value as text: "512, 256" for the sizes of layers.

    >>> text_of((512, 256)), text_of(None), text_of(True), text_of(0.00123456)
    ('512, 256', 'none', 'true', '0.001235')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ", ".join(map(text_of, value))
    if value is None:
        return "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

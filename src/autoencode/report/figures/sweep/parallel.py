"""Parallel coordinates: a line for each trial through the values of what is varied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from autoencode.report.charts.bars import PALE
from autoencode.report.figures.sweep.base import SweepMetricFigure, SweepView, text_of
from autoencode.report.formatting import short
from autoencode.report.labels import wrapped
from autoencode.report.style import (
    BLUE,
    INK,
    ORANGE,
    RULE,
    SMALL,
    WIDTH,
    Picture,
    new_figure,
    styled,
)

# Inches: height, and the width of a name. At most so many labels are on an axis of choices.
HEIGHT, NAME, MAX_LABELS = 3.9, 1.0, 8
COLOURS = LinearSegmentedColormap.from_list("trials", [BLUE, PALE])


@final
@dataclass(frozen=True)
class ParallelCoordinates(SweepMetricFigure):
    """An axis for each varied argument and for the metric; the best trials are highlighted."""

    first_key = "parallel-coordinates"
    heading = "Parallel coordinates"

    @classmethod
    def for_sweep(cls, view: SweepView) -> Sequence[Self]:
        """One figure, for the first metric, from two complete trials on."""
        return [cls(view)] if len(view.complete) > 1 else []

    @styled()
    def draw(self) -> Picture:
        figure = new_figure(WIDTH, HEIGHT, fitted=True)
        axes = figure.add_subplot()
        trials, names = self.view.complete, list(self.view.varied)
        columns = []
        for place, name in enumerate(names):
            values = [trial.values[name] for trial in trials]
            heights, ticks = _placed(values, self.view.varied[name])
            columns.append(heights)
            _axis(axes, place, ticks)
        metric = np.array([trial.metrics[self.position] for trial in trials])
        heights, ticks = _placed(metric.tolist(), False)
        columns.append(heights)
        _axis(axes, len(names), ticks)
        rows = np.array(columns).T
        order = metric.argsort()[:: -1 if self.metric.better == "lower" else 1]
        for rank, row in enumerate(order):  # the best are drawn last
            best = trials[row].best
            colour = ORANGE if best else COLOURS(1 - (rank + 1) / len(order))
            axes.plot(
                range(len(columns)),
                rows[row],
                color=colour,
                linewidth=2.2 if best else 1.0,
                alpha=1.0 if best else 0.75,
                zorder=3 if best else 2,
            )
        titles = [wrapped(name, NAME, SMALL) for name in (*names, self.metric.title)]
        axes.set_xticks(range(len(columns)), titles, size=SMALL, color=INK)
        axes.set_xlim(-0.15, len(columns) - 0.45)
        axes.set_ylim(-0.05, 1.05)
        axes.yaxis.set_visible(False)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return figure

    def caption(self) -> str:
        which = "one of the best trials" if len(self.view.metrics) > 1 else "the best trial"
        return (
            "Each line is a complete trial: the values of what is varied, and its "
            f"{self.metric.title} on the validation part. Darker lines are better; the orange line "
            f"is {which}."
        )

    def alt(self) -> str:
        names = ", ".join(self.view.varied)
        return f"Lines of {len(self.view.complete)} trials over the axes {names} and the metric."


def _placed(values: Sequence[Any], log: bool | None) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Heights from 0 to 1 of values on their axis, and its ticks (height, label).

    log: whether the axis is logarithmic; None for values without an order.
    """
    if log is None:
        labels = sorted({text_of(value) for value in values})
        places = {label: i / max(1, len(labels) - 1) for i, label in enumerate(labels)}
        ticks = [(places[label], label) for label in labels] if len(labels) <= MAX_LABELS else []
        return np.array([places[text_of(value)] for value in values]), ticks
    numbers = np.array(values, dtype=float)
    low, high = numbers.min(), numbers.max()
    scaled = np.log(numbers) if log else numbers
    span = np.ptp(scaled) or 1.0
    ticks = [(0.0, short(low)), (1.0, short(high))] if high > low else [(0.0, short(low))]
    if all(isinstance(value, int) for value in values):
        ticks = [(0.0, f"{int(low):,}"), (1.0, f"{int(high):,}")][: 1 + (high > low)]
    return (scaled - scaled.min()) / span, ticks


def _axis(axes: Axes, place: int, ticks: Sequence[tuple[float, str]]) -> None:
    axes.plot([place, place], [0, 1], color=RULE, linewidth=1, zorder=1)
    for height, label in ticks:
        axes.annotate(
            wrapped(label, NAME, SMALL),
            (place, height),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=SMALL,
            color=INK,
            zorder=4,
        )

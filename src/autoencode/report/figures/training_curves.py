"""How training went: the squared error and each term, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from autoencode.report.formatting import count, short
from autoencode.report.style import BLUE, ORANGE, WIDTH, Picture, legend_below, new_figure, styled
from autoencode.report.tables import Table

TITLE = "How it learned"
Line = Mapping[str, Any]
# The first steps are far above all others: the panels are made for what follows them.
START = 0.05
PANEL, FIRST = 1.75, 2.6
SQUARED_ERROR, NATS = "squared error, summed over one example", "nats per example"


class Curve(NamedTuple):
    """One quantity against the steps: in training, and on validation data."""

    name: str
    training: np.ndarray
    validation: np.ndarray


@styled()
def draw(log: Sequence[Line]) -> Picture:
    """A panel for the squared error and one for each term, over one axis of steps."""
    found = curves(log)
    heights = [FIRST, *[PANEL] * (len(found) - 1)]
    figure = new_figure(WIDTH, sum(heights) + 0.5, fitted=True)
    panels = figure.subplots(len(found), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axes, curve in zip(panels[:, 0], found, strict=True):
        _panel(axes, curve)
    panels[-1, 0].set_xlabel("step")
    panels[-1, 0].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    legend_below(figure, panels[0, 0], ["training", "validation"], [BLUE, ORANGE])
    return figure


def curves(log: Sequence[Line]) -> list[Curve]:
    """The squared error first, then each term, as [steps, 2] of step and value."""
    training, validation = _parts(log)

    def curve(name: str, value: Callable[[Line], float | None]) -> Curve:
        held = _points(validation, value)
        # A term of labels costs nothing where there are none: that is no measurement.
        return Curve(name, _points(training, value), held if held[:, 1].any() else held[:0])

    return [
        curve(SQUARED_ERROR, itemgetter("squared_error")),
        *(curve(f"{name}, {NATS}", _term(name)) for name in _terms(log)),
    ]


def _parts(log: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """The lines of training, and those of validation data, of one form."""
    training = [line for line in log if "loss" in line]
    validation = [
        {"step": line["step"], **line["validation"]} for line in log if "validation" in line
    ]
    return training, validation


def _terms(log: Sequence[Line]) -> list[str]:
    training, validation = _parts(log)
    return list({name: None for line in (*training, *validation) for name in line["terms"]})


def _term(name: str) -> Callable[[Line], float | None]:
    return lambda line: line["terms"].get(name)


def table(log: Sequence[Line]) -> Table:
    """A row for each line of the log, of training and then of validation data."""
    training, validation = _parts(log)
    lines = [*training, *validation]
    columns: dict[str, list[Any]] = {
        "data": ["training"] * len(training) + ["validation"] * len(validation),
        "step": [line["step"] for line in lines],
        f"loss, {NATS}": [line["loss"] for line in lines],
        SQUARED_ERROR: [line["squared_error"] for line in lines],
    }
    for name in _terms(log):
        columns[f"{name}, {NATS}"] = [_term(name)(line) for line in lines]
    return Table(columns, digits=6)


def _points(lines: Sequence[Line], value: Callable[[Line], float | None]) -> np.ndarray:
    pairs = [(line["step"], value(line)) for line in lines]
    kept = [(step, found) for step, found in pairs if found is not None and isfinite(found)]
    return np.array(kept, dtype=float).reshape(-1, 2)


def _panel(axes: Axes, curve: Curve) -> None:
    axes.plot(*curve.training.T, color=BLUE, linewidth=1.2)
    axes.plot(*curve.validation.T, "o-", color=ORANGE, markersize=3.5, linewidth=1.0)
    axes.set_title(curve.name)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if window := _window(curve):
        axes.set_ylim(*window)


def _window(curve: Curve) -> tuple[float, float] | None:
    """The lowest and the highest value that a panel shows; None for a curve without points."""
    both = np.concatenate([curve.training, curve.validation])
    if not len(both):
        return None
    low, high = both[:, 1].min(), both[both[:, 0] >= START * both[:, 0].max(), 1].max()
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def about(log: Sequence[Line]) -> str:
    """What the figure is."""
    return (
        "The line is training; the dots are validation data, which the model does not learn from. "
        "While both fall together it learns what is common to all examples; where the line goes on "
        "falling alone, it learns the training examples by heart."
    )


def see(log: Sequence[Line]) -> str:
    """What to see in it."""
    found = curves(log)
    parts = []
    if len(found[0].validation):
        step, value = found[0].validation[-1]
        at = count(int(step))
        parts.append(f"At step {at} the validation data's squared error was {short(value)}.")
    if any(_cut(curve) for curve in found):
        parts.append("The first steps, far above the rest, are cut off.")
    return " ".join(parts)


def _cut(curve: Curve) -> bool:
    window = _window(curve)
    both = np.concatenate([curve.training, curve.validation])
    return window is not None and bool(both[:, 1].max() > window[1])


def alt(log: Sequence[Line]) -> str:
    """The figure in words."""
    names = ", ".join(curve.name.split(",")[0] for curve in curves(log))
    return f"Curves over the steps of training, for training and validation data: {names}."

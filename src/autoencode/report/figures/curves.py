"""How training went: the squared error and each term, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from autoencode.report.style import BLUE, ORANGE, WIDTH, Picture, legend_below, new_figure, styled
from autoencode.report.words import count, short

TITLE = "How it learned"
Line = Mapping[str, Any]
# The first steps are far above all others: the panels are made for what follows them.
START = 0.05
PANEL, FIRST = 1.75, 2.6


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
    legend_below(figure, panels[0, 0], ["training", "validation"], [BLUE, ORANGE])
    return figure


def curves(log: Sequence[Line]) -> list[Curve]:
    """The squared error first, then each term, as [steps, 2] of step and value."""
    training = [line for line in log if "loss" in line]
    validation = [
        {"step": line["step"], **line["validation"]} for line in log if "validation" in line
    ]

    def curve(name: str, value: Callable[[Line], float | None]) -> Curve:
        return Curve(name, _points(training, value), _points(validation, value))

    terms = {name: None for line in (*training, *validation) for name in line["terms"]}
    return [
        curve("squared error, summed over one example", itemgetter("squared_error")),
        *(curve(f"{name}, nats per example", _term(name)) for name in terms),
    ]


def _term(name: str) -> Callable[[Line], float | None]:
    return lambda line: line["terms"].get(name)


def _points(lines: Sequence[Line], value: Callable[[Line], float | None]) -> np.ndarray:
    pairs = [(line["step"], value(line)) for line in lines]
    kept = [(step, found) for step, found in pairs if found is not None and isfinite(found)]
    return np.array(kept, dtype=float).reshape(-1, 2)


def _panel(axes: Axes, curve: Curve) -> None:
    axes.plot(*curve.training.T, color=BLUE, linewidth=1.2)
    axes.plot(*curve.validation.T, "o-", color=ORANGE, markersize=3.5, linewidth=1.0)
    axes.set_title(curve.name)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    both = np.concatenate([curve.training, curve.validation])
    if len(both):
        late = both[both[:, 0] >= START * both[:, 0].max(), 1]
        low, high = min(both[:, 1].min(), late.min()), late.max()
        room = 0.06 * (high - low) or 0.5
        axes.set_ylim(low - room, high + room)


def about(log: Sequence[Line]) -> str:
    """What the figure is."""
    return (
        "The line is training; the dots are validation data, which the model does not learn from. "
        "While both fall together it learns what is common to all examples; where the line goes on "
        "falling alone, it learns the training examples by heart. The first steps, far above the "
        "rest, are cut off."
    )


def see(log: Sequence[Line]) -> str:
    """What to see in it."""
    validation = curves(log)[0].validation
    if not len(validation):
        return ""
    step, value = validation[-1]
    return f"At step {count(int(step))} the validation data's squared error was {short(value)}."


def alt(log: Sequence[Line]) -> str:
    """The figure in words."""
    names = ", ".join(curve.name.split(",")[0] for curve in curves(log))
    return f"Curves over the steps of training, for training and validation data: {names}."

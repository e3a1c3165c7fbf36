"""How well each class comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.patheffects import withStroke

from autoencode.report.formatting import count, short
from autoencode.report.style import (
    BLUE,
    INK,
    PAPER,
    SMALL,
    WIDTH,
    Picture,
    names,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

TITLE = "Squared error by class"
# Bars that there is room for, and inches of each.
MOST, BAR = 40, 0.27


@styled()
def draw(errors: Sequence[float], classes: Sequence[str], mean: float) -> Picture:
    """A bar for each class, the hardest on top, and a line at the mean of all examples."""
    order = _hardest(errors)
    known = names(classes)
    figure = new_figure(WIDTH, 0.9 + BAR * len(order), fitted=True)
    axes = figure.add_subplot()
    places = -np.arange(len(order))
    values = np.array([errors[k] for k in order])
    axes.barh(places, values, height=0.7, color=BLUE)
    for place, value in zip(places, values.tolist(), strict=True):
        axes.annotate(
            short(value),
            (value, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            size=SMALL,
            # The line may run through a number.
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
        )
    axes.axvline(mean, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0.9)
    axes.set_yticks(places, [known[k] for k in order])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    # Room for the number at the longest bar.
    axes.set(xlim=(0, (float(values.max()) or 1.0) * 1.12), ylim=(places[-1] - 0.6, 0.6))
    axes.set_xlabel("squared error, summed over one example; dashed: mean of all")
    return figure


def _hardest(errors: Sequence[float]) -> list[int]:
    """Positions of the classes of highest error, the highest first."""
    return np.argsort(-np.array(errors), kind="stable")[:MOST].tolist()


def table(errors: Sequence[float], classes: Sequence[str], mean: float) -> Table:
    """A row for each class, in their own order."""
    return Table(
        {"class": list(classes), "squared error, mean of the examples": list(errors)}, digits=6
    )


def about(errors: Sequence[float], classes: Sequence[str], mean: float) -> str:
    """What the figure is."""
    shown = f"the {MOST} hardest of {count(len(errors))}" if len(errors) > MOST else "each class"
    return (
        f"The mean squared error of the test examples of {shown}, summed over the values of an "
        "example. Classes whose members differ more, or that have more ink, cost more."
    )


def see(errors: Sequence[float], classes: Sequence[str], mean: float) -> str:
    """What to see in it."""
    known, values = names(classes), np.array(errors)
    hard, easy = int(values.argmax()), int(values.argmin())
    if values[easy] <= 0:
        return f"“{known[hard]}” comes back worst, with {short(values[hard])}."
    return (
        f"“{known[hard]}” comes back worst, with {values[hard] / values[easy]:.1f} times the error "
        f"of “{known[easy]}”. The mean of all is {short(mean)}."
    )


def alt(errors: Sequence[float], classes: Sequence[str], mean: float) -> str:
    """The figure in words."""
    return (
        f"Bars of the squared error of {len(errors)} classes, from {short(max(errors))} down to "
        f"{short(min(errors))}."
    )

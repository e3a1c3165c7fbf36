"""What each number of the code carries: the KL by latent dimension."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from matplotlib.ticker import MaxNLocator

from autoencode.evaluation.measures.codes import ACTIVE
from autoencode.report.formatting import count, short
from autoencode.report.style import BLUE, RULE, WIDTH, Picture, new_figure, styled
from autoencode.report.tables import Table

TITLE = "What each number of the code carries"
LABELLED = 12
LN2 = log(2)


@styled()
def draw(nats: Sequence[float]) -> Picture:
    """A bar for each number of the code, from the one that carries most, in nats per example."""
    values = np.array(nats, dtype=float)
    order = np.argsort(-values, kind="stable")
    values = values[order]
    figure = new_figure(WIDTH, 3.0, fitted=True)
    axes = figure.add_subplot()
    places = np.arange(1, len(values) + 1)
    paint = np.where(values > ACTIVE, BLUE, RULE)
    axes.bar(places, values, width=0.8 if len(values) <= 60 else 1.0, color=paint)
    axes.set_ylabel("KL, nats per example")
    if len(values) <= LABELLED:
        axes.set_xticks(places, [str(i + 1) for i in order])
        axes.set_xlabel("number of the code")
    else:
        axes.set_xlabel(f"the {count(len(values))} numbers of the code, sorted")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # Two bars alone should not be as wide as the page.
    aside = max(0, 6 - len(values)) / 2 + 0.5
    axes.set_xlim(1 - aside, len(values) + aside)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    return figure


def table(nats: Sequence[float]) -> Table:
    """A row for each number of the code, in its own order."""
    return Table(
        {"number of the code": range(1, len(nats) + 1), "KL, nats per example": nats}, digits=6
    )


def about(nats: Sequence[float]) -> str:
    """What the figure is."""
    return (
        "How many nats each number of the code costs on average: how far the posterior of an "
        "example is from the prior. A number that costs none is pure noise, which the decoder has "
        "learned to ignore."
    )


def see(nats: Sequence[float]) -> str:
    """What to see in it."""
    active, total = sum(value > ACTIVE for value in nats), sum(nats)
    return (
        f"Together they are {short(total)} nats, which is {short(total / LN2)} bits. "
        f"{count(active)} of {count(len(nats))} carry more than {ACTIVE} nats."
    )


def alt(nats: Sequence[float]) -> str:
    """The figure in words."""
    return (
        f"Bars of the KL of {count(len(nats))} numbers of the code, from {short(max(nats))} nats "
        f"down to {short(min(nats))}."
    )

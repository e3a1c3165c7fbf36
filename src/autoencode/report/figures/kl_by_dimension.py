"""The KL divergence of each latent dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Self, final

import numpy as np
from matplotlib.ticker import MaxNLocator

from autoencode.evaluation.thresholds import MIN_ACTIVE_KL_NATS
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.formatting import count, short, z_name
from autoencode.report.style import BLUE, RULE, WIDTH, Picture, new_figure, styled
from autoencode.report.tables import Table

# More bars than these are not labelled one by one.
MAX_LABELS = 12


@final
@dataclass(frozen=True)
class KLByDimension(Figure):
    """`nats`: KL(q(zᵢ|x) ‖ p(zᵢ)) of each dimension, mean over the test examples."""

    nats: Sequence[float]

    key = "kl-by-dimension"
    title = "KL by latent dimension"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Where the KL of each dimension was measured."""
        nats = context.metrics.get("kl_per_dimension")
        return cls(nats) if nats else None

    @styled()
    def draw(self) -> Picture:
        """A bar for each dimension, in descending order."""
        values = np.array(self.nats, dtype=float)
        order = np.argsort(-values, kind="stable")
        values = values[order]
        figure = new_figure(WIDTH, 3.0, fitted=True)
        axes = figure.add_subplot()
        places = np.arange(1, len(values) + 1)
        paint = np.where(values > MIN_ACTIVE_KL_NATS, BLUE, RULE)
        axes.bar(places, values, width=0.8 if len(values) <= 60 else 1.0, color=paint)
        axes.set_ylabel("KL, nats per example")
        if len(values) <= MAX_LABELS:
            axes.set_xticks(places, [z_name(i + 1) for i in order.tolist()])
            axes.set_xlabel("latent dimension")
        else:
            axes.set_xlabel(f"the {count(len(values))} latent dimensions, sorted")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Few bars do not fill the width.
        margin = max(0, 6 - len(values)) / 2 + 0.5
        axes.set_xlim(1 - margin, len(values) + margin)
        axes.tick_params(axis="x", length=0)
        axes.grid(visible=False, axis="x")
        return figure

    def table(self) -> Table:
        """A row for each dimension, in its own order."""
        columns = {
            "latent dimension": range(1, len(self.nats) + 1),
            "KL, nats per example": self.nats,
        }
        return Table(columns, digits=6)

    def caption(self) -> str:
        return (
            "The KL divergence of the posterior from the prior in each latent dimension, mean over "
            "the test examples. In a dimension of KL 0 the posterior equals the prior for every "
            "example, so that the dimension holds no information on the example."
        )

    def findings(self) -> str:
        active, total = sum(value > MIN_ACTIVE_KL_NATS for value in self.nats), sum(self.nats)
        return (
            f"The sum over the dimensions is {short(total)} nats ({short(total / log(2))} bits). "
            f"{count(active)} of {count(len(self.nats))} dimensions have more than "
            f"{MIN_ACTIVE_KL_NATS} nats."
        )

    def alt(self) -> str:
        return (
            f"Bars of the KL of {count(len(self.nats))} latent dimensions, from "
            f"{short(max(self.nats))} nats down to {short(min(self.nats))}."
        )

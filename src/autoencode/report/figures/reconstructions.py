"""Test examples above their reconstructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.pairs import COLUMNS, PairsFigure
from autoencode.report.formatting import count, latent_dimensions, short


@final
@dataclass(frozen=True)
class Reconstructions(PairsFigure, ViewFigure):
    """Pairs at random, and pairs around the median error."""

    key = "reconstructions"
    title = "Reconstructions"

    def blocks(self) -> dict[str, Tensor]:
        n = len(self.view.errors)
        columns = min(COLUMNS, n)
        middle = (n - columns) // 2
        drawn = torch.randperm(n, generator=torch.Generator().manual_seed(1))
        order = self.view.errors.argsort(stable=True)
        return {"random": drawn[: 2 * columns], "median": order[middle : middle + columns]}

    def caption(self) -> str:
        sizes = self.view.model.sizes
        return (
            "Each pair is a test example, which the model was not trained on, above its "
            f"reconstruction from a code of {latent_dimensions(sizes.latent)}. The number below is "
            f"the squared error, summed over {count(sizes.pixels)} values. The first rows are "
            "random, the last has the errors around the median of "
            f"{count(len(self.view.errors))} examples."
        )

    def findings(self) -> str:
        median = self.view.errors.median().item()
        return claims.reconstruction(median, measurements.explained_variance(self.view))

    def alt(self) -> str:
        low, middle, high = self.view.errors.quantile(torch.tensor([0.0, 0.5, 1.0])).tolist()
        return (
            "Rows of test examples, each above its reconstruction: random ones, and those at the "
            f"median. Squared errors are from {short(low)} to {short(high)}, with a median of "
            f"{short(middle)}."
        )

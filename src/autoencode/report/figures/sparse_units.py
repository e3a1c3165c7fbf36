"""What the units of a sparse code respond to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from autoencode.evaluation.sparsity import active_units, is_sparse
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count, short
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

UNITS, EXAMPLES = 12, 4


@final
@dataclass(frozen=True)
class SparseUnits(ViewFigure):
    """A column for each of the twelve units that are active most often."""

    key = "sparse-units"
    title = "Units of the sparse code"

    @classmethod
    def applies(cls, view: View) -> bool:
        """Models that are meant to be sparse."""
        return is_sparse(view.model.recipe) and view.latent > 1  # type: ignore[attr-defined]

    @cached_property
    def _active(self) -> Bool[Tensor, "n d"]:
        return active_units(self.view.codes, self.view.model.recipe)  # type: ignore[attr-defined]

    @cached_property
    def shares(self) -> Float[Tensor, " d"]:
        """Of each unit, the share of the test examples in which it is active."""
        return self._active.float().mean(0)

    @cached_property
    def units(self) -> list[int]:
        """The units that are shown, the one that is active most often first."""
        order = self.shares.argsort(descending=True, stable=True)[:UNITS].tolist()
        return [unit for unit in order if self.shares[unit] > 0] or order[:1]

    def _alone(self) -> Float[Tensor, "u d"]:
        """Codes in which only one unit is not 0: its mean over the examples that excite it most."""
        view = self.view
        codes = torch.zeros(len(self.units), view.latent)
        for i, unit in enumerate(self.units):
            codes[i, unit] = view.codes[self._strongest(unit), unit].mean()
        return codes

    def _added(self) -> Tensor:
        """What each unit alone adds to the image of the code 0, 0.5 for nothing, [u, *X]."""
        codes = torch.cat([torch.zeros(1, self.view.latent), self._alone()])
        images = self.view.decode(codes, torch.tensor([0]))
        added = images[1:] - images[:1]
        largest = added.abs().flatten(1).max(1).values.clamp(min=1e-12)
        return 0.5 + added / (2 * largest.reshape(-1, *[1] * (added.dim() - 1)))

    def _strongest(self, unit: int) -> Tensor:
        return self.view.codes[:, unit].argsort(descending=True, stable=True)[:EXAMPLES]

    @styled()
    def draw(self) -> Picture:
        """What each unit adds to an image, above the examples in which it is strongest."""
        view = self.view
        alone = view.tiles(self._added())
        strongest = np.stack([view.originals(self._strongest(unit)) for unit in self.units], 1)
        rows = [
            Row(
                alone,
                "adds",
                above=[f"{unit}" for unit in self.units],
                below=[f"{self.shares[unit]:.0%}" for unit in self.units],
                space_below=0.1,
            )
        ]
        rows += [Row(each, "strongest" if i == 0 else "") for i, each in enumerate(strongest)]
        return draw_rows(rows)

    def table(self) -> Table:
        """A row for each unit of the code."""
        view, shares = self.view, self.shares
        means = torch.where(self._active, view.codes, 0.0).sum(0) / self._active.sum(0).clamp(min=1)
        return Table(
            {
                "unit": np.arange(view.latent),
                "share of test examples": shares.numpy(),
                "mean where active": means.numpy(),
            }
        )

    def caption(self) -> str:
        return (
            f"The {len(self.units)} units that are active most often, by their number in the code "
            "(above) and the share of test examples in which they are active (below). The top row "
            "is what a code in which only this unit is not 0 adds to the image of the code 0: grey "
            "is no change, and black and white are the largest change of the unit. Below are the "
            "test examples in which it is strongest."
        )

    def findings(self) -> str:
        per_example = self._active.float().sum(1).mean().item()
        never = int((self.shares == 0).sum())
        return (
            f"On average {short(per_example)} of {count(self.view.latent)} units are active in a "
            f"test example; {count(never)} are active in none of {count(len(self._active))}."
        )

    def alt(self) -> str:
        return (
            f"For each of {len(self.units)} units a column: what it adds to an image, and "
            f"{EXAMPLES} test examples in which it is strongest."
        )

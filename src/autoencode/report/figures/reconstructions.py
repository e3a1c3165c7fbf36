"""Test examples above their reconstructions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from autoencode.report import claims, measurements
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count, latent_dimensions, short
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table

COLUMNS = 8


@final
@dataclass(frozen=True)
class Reconstructions(ViewFigure):
    """Pairs at random, and pairs around the median error."""

    key = "reconstructions"
    title = "Reconstructions"

    @styled()
    def draw(self) -> Picture:
        """Pairs of an original above its reconstruction."""
        view, rows = self.view, []
        for label, which in self._chosen().items():
            for start in range(0, len(which), COLUMNS):
                block = which[start : start + COLUMNS]
                label_of_row = "" if start else label
                rows.append(Row(view.originals(block), label_of_row, space_below=0.02))
                below = [short(error) for error in view.errors[block].tolist()]
                pictures = view.decoded(view.codes[block], block)
                rows.append(Row(pictures, "", below=below, space_below=0.14))
        return draw_rows(rows)

    def _chosen(self) -> dict[str, Tensor]:
        n = len(self.view.errors)
        columns = min(COLUMNS, n)
        middle = (n - columns) // 2
        drawn = torch.randperm(n, generator=torch.Generator().manual_seed(1))
        order = self.view.errors.argsort(stable=True)
        return {"random": drawn[: 2 * columns], "median": order[middle : middle + columns]}

    def table(self) -> Table:
        """A row for each pair, in reading order."""
        chosen = self._chosen()
        which = torch.cat(list(chosen.values()))
        return Table(
            {
                "row": [row for row, of_row in chosen.items() for _ in of_row],
                "position in the test set": self.view.positions[which].numpy(),
                **self.view.label_column(which),
                "squared error, summed over one example": self.view.errors[which].numpy(),
            }
        )

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

"""Reconstructions of the same test examples by several models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from autoencode.report.figures.base import ComparisonFigure
from autoencode.report.figures.reconstructions import Reconstructions
from autoencode.report.figures.rows import NAME_WIDTH, Row, draw_rows
from autoencode.report.formatting import count, short
from autoencode.report.labels import wrapped
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

COLUMNS = 10


@final
@dataclass(frozen=True)
class ComparedReconstructions(ComparisonFigure):
    """Random examples and those of highest error, with a row for each model."""

    key = Reconstructions.key
    title = Reconstructions.title

    @styled()
    def draw(self) -> Picture:
        """Blocks of the originals above a row for each model."""
        rows = []
        for title, which in self.chosen().items():
            label = f"original,\n{title}"
            rows.append(Row(self._first().originals(which), label, space_below=0.07))
            for name, view in self.views.items():
                pictures = view.decoded(view.codes[which], which)
                rows.append(Row(pictures, wrapped(name, NAME_WIDTH, SMALL + 1), space_below=0.035))
            rows[-1] = Row(rows[-1].pictures, rows[-1].label, space_below=0.3)
        return draw_rows(rows)

    def chosen(self) -> dict[str, Tensor]:
        """Indices of the examples of each block, the same for every model of one data set."""
        errors = torch.stack([view.errors.double() for view in self.views.values()]).mean(0)
        drawn = torch.randperm(len(errors), generator=torch.Generator().manual_seed(1))
        highest = errors.argsort(stable=True, descending=True)
        return {"random": drawn[:COLUMNS], "highest error": highest[:COLUMNS]}

    def _first(self) -> View:
        return next(iter(self.views.values()))

    def table(self) -> Table:
        """A row for each example, with its error under each model."""
        blocks, first = self.chosen(), self._first()
        which = torch.cat(list(blocks.values()))
        return Table(
            {
                "row": [title for title, of_row in blocks.items() for _ in of_row],
                **first.example_columns(which),
                **{f"squared error, {k}": v.errors[which].numpy() for k, v in self.views.items()},
            }
        )

    def caption(self) -> str:
        return (
            "Test examples, which no model was trained on, and below them their reconstruction by "
            "each model. The examples of the first block are random; those of the second have the "
            f"highest error, mean over the models, of {count(len(self._first().errors))}."
        )

    def findings(self) -> str:
        which = self.chosen()["highest error"]
        errors = [f"{short(v.errors[which].mean().item())} ({k})" for k, v in self.views.items()]
        return f"The mean squared error of the second block: {', '.join(errors)}."

    def alt(self) -> str:
        return (
            f"Two blocks of {COLUMNS} test examples, and below them a row of reconstructions for "
            f"each of {', '.join(self.views)}. {self.findings()}"
        )

"""Pairs of an original above its reconstruction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from autoencode.report.figures.base import Figure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

# Pairs in a row, and letters of a class name above a pair.
COLUMNS, MAX_LETTERS = 8, 8


class PairsFigure(Figure):
    """Examples of a view in blocks, each above its reconstruction and its squared error."""

    view: View
    with_classes = False

    @abstractmethod
    def blocks(self) -> Mapping[str, Tensor]:
        """Indices of the examples of each block, by its label."""

    def examples(self, which: Tensor) -> list[str]:
        """A line above each pair that identifies its example; by default none."""
        return []

    @styled()
    def draw(self) -> Picture:
        """Rows of pairs."""
        view, rows = self.view, []
        labels = names(view.classes, longest=MAX_LETTERS)
        for label, block in self.blocks().items():
            for start in range(0, len(block), COLUMNS):
                which = block[start : start + COLUMNS]
                above = self.examples(which)
                if self.with_classes and view.y is not None:
                    classes = [labels[k] for k in view.y[which].tolist()]
                    above = [
                        f"{name}\n{text}" if text else name
                        for name, text in zip(classes, above or [""] * len(classes), strict=True)
                    ]
                originals = view.originals(which)
                rows.append(Row(originals, "" if start else label, above, space_below=0.02))
                below = [short(error) for error in view.errors[which].tolist()]
                pictures = view.decoded(view.codes[which], which)
                rows.append(Row(pictures, below=below, space_below=0.14))
        return draw_rows(rows)

    def table(self) -> Table:
        """A row for each pair, in reading order."""
        blocks = self.blocks()
        which = torch.cat(list(blocks.values()))
        return Table(
            {
                "row": [label for label, block in blocks.items() for _ in block],
                **self.view.example_columns(which),
                "squared error, summed over one example": self.view.errors[which].numpy(),
            }
        )

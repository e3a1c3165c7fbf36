"""One code decoded under each class, of conditional models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.contract import Space
from autoencode.data import scaled
from autoencode.models.inference import decode
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

STYLES, COLUMNS = 6, 10
# Examples whose error under their own class is compared with that under the next class.
MEASURED = 1_000


@final
@dataclass(frozen=True)
class ClassStyles(ViewFigure):
    """A row for each of six test examples: its code, decoded under each class."""

    key = "class-styles"
    title = "One style in every class"

    @classmethod
    def applies(cls, view: View) -> bool:
        """Models that are conditioned on the class, with labelled examples."""
        several = view.class_conditional and view.model.sizes.context > 1
        return several and view.y is not None and view.model.space is not Space.CODES

    def _rows(self) -> list[int]:
        """The first example of each class, up to six classes."""
        return [int(self.view.members(k)[0]) for k in self.view.present_classes()[:STYLES]]

    def _decoded(self, row: int) -> Float[Tensor, "k ..."]:
        n = min(COLUMNS, self.view.model.sizes.context)
        codes = self.view.codes[row].expand(n, -1)
        return decode(self.view.model, codes, torch.arange(n))

    @styled()
    def draw(self) -> Picture:
        """The example on the left, and its code under each class."""
        view, found = self.view, []
        labels = names(view.classes, longest=9)
        for i, row in enumerate(self._rows()):
            images = view.tiles(self._decoded(row))
            above = ("original", *labels[: len(images)]) if i == 0 else ()
            found.append(Row(np.concatenate([view.originals([row]), images]), above=above))
        return draw_rows(found)

    def errors(self) -> tuple[float, float]:
        """Mean squared errors of codes decoded under the class of the example, and the next one."""
        view = self.view
        assert view.context is not None
        x = scaled(view.x[:MEASURED]).flatten(1)
        found = []
        for shift in (0, 1):
            context = (view.context[:MEASURED] + shift) % view.model.sizes.context
            images = decode(view.model, view.codes[:MEASURED], context).flatten(1)
            found.append((images - x).square().nansum(1).mean().item())
        return found[0], found[1]

    def table(self) -> Table:
        """The positions of the examples and their classes."""
        return Table(self.view.example_columns(torch.tensor(self._rows())))

    def caption(self) -> str:
        n = min(COLUMNS, self.view.model.sizes.context)
        some = "" if n == self.view.model.sizes.context else f" (the first {n})"
        return (
            "Each row keeps the code of the test example on the left and changes the class that "
            f"the decoder is given{some}. What stays the same in a row is what the code says; what "
            "changes is what the class says."
        )

    def findings(self) -> str:
        own, other = self.errors()
        n = min(MEASURED, len(self.view.x))
        return (
            f"Squared error of {n:,} test examples: {short(own)} if their codes are decoded under "
            f"their own class, and {short(other)} under the next class."
        )

    def alt(self) -> str:
        n = min(COLUMNS, self.view.model.sizes.context)
        return f"{len(self._rows())} rows: a test example, and its code decoded under {n} classes."

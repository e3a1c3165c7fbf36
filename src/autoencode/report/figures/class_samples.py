"""The mean code of each class, decoded, and codes near it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from autoencode.contract import Space
from autoencode.explore import neighbours
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.images import Tiles
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table, code_columns, omitted_dimensions
from autoencode.report.view import View

NEIGHBOURS = 4
# Classes side by side: the first if all names have at most so many letters, else the last.
COLUMNS, SHORT, FEWER_COLUMNS = 10, 6, 7


@final
@dataclass(frozen=True)
class ClassSamples(ViewFigure):
    """A column for each class: its mean code decoded, and members near that mean."""

    key = "class-samples"
    title = "Class means"

    @classmethod
    def applies(cls, view: View) -> bool:
        """Labels are needed, and codes that have a mean."""
        return view.y is not None and view.model.space is not Space.CODES

    @styled()
    def draw(self) -> Picture:
        """The top row of each block decodes the class means."""
        view = self.view
        present, labels = view.present_classes(), names(view.classes, longest=10)
        short_names = max(len(labels[label]) for label in present) <= SHORT
        columns = COLUMNS if short_names else FEWER_COLUMNS
        rows = []
        for start in range(0, len(present), columns):
            block = present[start : start + columns]
            ranks = np.stack([self._column(label) for label in block], axis=1)
            rows.append(Row(ranks[0], "mean", [labels[k] for k in block], space_below=0.09))
            rows.append(Row(ranks[1], "near it", space_below=0.035))
            rows.extend(Row(rank, space_below=0.035) for rank in ranks[2:-1])
            rows.append(Row(ranks[-1], space_below=0.25))
        return draw_rows(rows)

    def mean_code(self, label: int) -> Float[Tensor, " d"]:
        """The mean of the codes of a class."""
        return self.view.codes[self.view.members(label)].mean(0)

    def _column(self, label: int) -> Tiles:
        view, members = self.view, self.view.members(label)
        near = view.codes[self._near(label)]
        codes = torch.cat([self.mean_code(label).unsqueeze(0), near])
        if view.class_conditional:
            # Of a model that predicts labels: an example that it predicts to be of the class.
            assert view.context is not None
            predicted = members[view.context[members] == label]
            members = predicted if len(predicted) else members
        return view.decoded(codes, members[:1])

    def _near(self, label: int) -> Int[Tensor, " m"]:
        """Indices of the members below the mean of a class."""
        members = self.view.members(label)
        # The very nearest are all alike: at equal steps through the nearest quarter.
        codes, quarter = self.view.codes[members], max(1, len(members) // 4)
        near = neighbours(self.mean_code(label), codes, quarter)
        return members[near[torch.linspace(0, len(near) - 1, NEIGHBOURS).round().long()]]

    def table(self) -> Table:
        """For each class a row of its mean code, and one for each member below it."""
        view, present = self.view, self.view.present_classes()
        positions: list[int | None] = []
        codes = []
        for label in present:
            near = self._near(label)
            positions += [None, *view.positions[near].tolist()]
            codes += [self.mean_code(label).unsqueeze(0), view.codes[near]]
        return Table(
            {
                "class": [view.classes[k] for k in present for _ in range(1 + NEIGHBOURS)],
                "row": ["mean", *["near it"] * NEIGHBOURS] * len(present),
                "position in the test set": positions,
                **code_columns(torch.cat(codes)),
            },
            note=omitted_dimensions(view.latent),
        )

    def caption(self) -> str:
        return (
            "The top row decodes the mean of the codes of each class. Below are decoded codes of "
            "members of the class, from the quarter that is nearest to the mean."
        )

    def findings(self) -> str:
        view, present = self.view, self.view.present_classes()
        means = torch.stack([self.mean_code(label) for label in present])
        assert view.y is not None
        nearest = view.y[torch.cdist(means, view.codes).argmin(1)]
        agreeing = int((nearest == torch.tensor(present)).sum())
        return (
            f"For {agreeing} of {len(present)} classes, the test code nearest to the class mean "
            "belongs to the class."
        )

    def alt(self) -> str:
        n = len(self.view.present_classes())
        return (
            f"For each of {n} classes a column of images: its mean code decoded, and "
            f"{NEIGHBOURS} codes near it."
        )

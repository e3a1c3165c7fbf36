"""Codes that generate a wanted class."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.explore import neighbours
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.images import Tiles
from autoencode.report.style import Picture, names, styled
from autoencode.report.view import View
from autoencode.report.words import short

TITLE = "A code for each class"
NEAR, COLUMNS = 4, 10


@styled()
def draw(view: View) -> Picture:
    """For each class a column: the mean code decoded, and the codes nearest to it."""
    present, known = view.present(), names(view.classes, longest=9)
    rows = []
    for start in range(0, len(present), COLUMNS):
        block = present[start : start + COLUMNS]
        columns = [_column(view, label) for label in block]
        for row in range(1 + NEAR):
            rows.append(
                Row(
                    np.stack([column[row] for column in columns]),
                    {0: "mean", 1: "near it"}.get(row, ""),
                    [known[label] for label in block] if row == 0 else (),
                    after=0.25 if row == NEAR else 0.09 if row == 0 else 0.035,
                )
            )
    return draw_rows(rows)


def mean_code(view: View, label: int) -> Float[Tensor, " d"]:
    """The mean of a class's codes."""
    return view.codes[view.members(label)].mean(0)


def _column(view: View, label: int) -> Tiles:
    own, centre = view.codes[view.members(label)], mean_code(view, label)
    # The very nearest all look alike: from the nearer quarter, at equal steps.
    near = neighbours(centre, own, max(1, len(own) // 4))
    chosen = near[torch.linspace(0, len(near) - 1, NEAR).round().long()]
    return view.decoded(torch.cat([centre.unsqueeze(0), own[chosen]]))


def caption(view: View) -> str:
    """What to see."""
    told = ""
    if view.latent <= 3:
        known = names(view.classes)
        label = view.present()[min(4, len(view.present()) - 1)]
        code = ", ".join(short(value) for value in mean_code(view, label).tolist())
        told = f" The code ({code}), for one, asks for {known[label]}."
    return (
        "To get an image of a class, decode the mean of its codes: the top row. Below are the "
        f"decoded codes of members of the class from the nearer quarter around that mean.{told} "
        "Where a class is one island, its mean looks like a typical member; where it lies in "
        "pieces, the mean falls between them and shows another class or a blur."
    )


def alt(view: View) -> str:
    """The figure in words."""
    return (
        f"For each of {len(view.present())} classes a column of images: its mean code decoded, and "
        f"{NEAR} codes near it."
    )

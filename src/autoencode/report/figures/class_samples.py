"""Codes that generate a wanted class."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from autoencode.explore import neighbours
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.images import Tiles
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table, code_columns, left_out
from autoencode.report.view import View

TITLE = "A code for each class"
NEAR = 4
# Classes side by side: as many as their names leave room for.
COLUMNS, SHORT, FEWER = 10, 6, 7


@styled()
def draw(view: View) -> Picture:
    """For each class a column: the mean code decoded, and the codes nearest to it."""
    present, known = view.present(), names(view.classes, longest=10)
    columns = COLUMNS if max(len(known[label]) for label in present) <= SHORT else FEWER
    rows = []
    for start in range(0, len(present), columns):
        block = present[start : start + columns]
        heads = [known[label] for label in block]
        ranks = np.stack([_column(view, label) for label in block], axis=1)
        rows.append(Row(ranks[0], "mean", heads, after=0.09))
        rows.append(Row(ranks[1], "near it", after=0.035))
        rows.extend(Row(rank, after=0.035) for rank in ranks[2:-1])
        rows.append(Row(ranks[-1], after=0.25))
    return draw_rows(rows)


def mean_code(view: View, label: int) -> Float[Tensor, " d"]:
    """The mean of a class's codes."""
    return view.codes[view.members(label)].mean(0)


def _column(view: View, label: int) -> Tiles:
    members = view.members(label)
    codes = torch.cat([mean_code(view, label).unsqueeze(0), view.codes[_near(view, label)]])
    if view.by_label:
        # Of a model that tells labels itself: an example that it takes for one of the class.
        assert view.context is not None
        told = members[view.context[members] == label]
        members = told if len(told) else members
    return view.decoded(codes, members[:1])


def _near(view: View, label: int) -> Int[Tensor, " m"]:
    """Positions of the members that are shown below a class's mean."""
    members = view.members(label)
    # The very nearest all look alike: from the nearer quarter, at equal steps.
    near = neighbours(mean_code(view, label), view.codes[members], max(1, len(members) // 4))
    return members[near[torch.linspace(0, len(near) - 1, NEAR).round().long()]]


def table(view: View) -> Table:
    """For each class a row of its mean code, and one for each member below it."""
    names, places, codes = [], [], []
    for label in view.present():
        near = _near(view, label)
        names += [view.classes[label]] * (1 + NEAR)
        places += [None, *view.places[near].tolist()]
        codes += [mean_code(view, label).unsqueeze(0), view.codes[near]]
    columns = {
        "class": names,
        "what": ["mean", *["near it"] * NEAR] * len(view.present()),
        "position in the test set": places,
        **code_columns(torch.cat(codes)),
    }
    return Table(columns, note=left_out(view.latent))


def about(view: View) -> str:
    """What the figure is."""
    return (
        "To get an image of a class, decode the mean of its codes: the top row. Below are the "
        "decoded codes of members of the class, from the quarter that lies nearest to that mean. "
        "Where a class is one island, its mean looks like a typical member; where it lies in "
        "pieces, the mean falls between them and shows another class or a blur."
    )


def see(view: View) -> str:
    """What to see in it."""
    label = view.present()[min(4, len(view.present()) - 1)]
    name, code = names(view.classes)[label], mean_code(view, label).tolist()
    told = ", ".join(short(value) for value in code[:3]) + (", …" if len(code) > 3 else "")
    return f"The mean code of “{name}”, for one, is ({told})."


def alt(view: View) -> str:
    """The figure in words."""
    return (
        f"For each of {len(view.present())} classes a column of images: its mean code decoded, and "
        f"{NEAR} codes near it."
    )

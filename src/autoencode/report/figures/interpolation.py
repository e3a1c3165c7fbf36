"""From one example to another, through latent space."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.explore import interpolate
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table, code_columns, left_out
from autoencode.report.view import View

TITLE = "From one example to another"
PAIRS, STEPS = 5, 8


@styled()
def draw(view: View) -> Picture:
    """A strip a pair: the original, decoded codes on the way, the other original."""
    rows: list[Row] = []
    for label, (first, second) in pairs(view):
        rows.append(strip(view, first, second, STEPS, label, with_heads=not rows))
    return draw_rows(rows)


def strip(
    view: View, first: int, second: int, n: int, label: str = "", *, with_heads: bool = True
) -> Row:
    """Two examples, given by their positions, and n decoded codes from the one to the other."""
    codes = way(view, first, second, n)
    ends = view.originals([first, second])
    pictures = np.concatenate([ends[:1], view.decoded(codes, torch.tensor([first])), ends[1:]])
    heads = ("original", *[""] * n, "original") if with_heads else ()
    return Row(pictures, label, heads, after=0.1)


def way(view: View, first: int, second: int, n: int) -> Float[Tensor, "n d"]:
    """n codes at equal steps from that of one example to that of another."""
    z = view.codes[[first, second]].view(2, *view.model.sizes.z)
    return interpolate(z[0], z[1], n, view.model.space).flatten(1)


def table(view: View) -> Table:
    """A row for each code on a way, with the positions of the examples at its ends."""
    ends = [two for _, two in pairs(view) for _ in range(STEPS)]
    codes = torch.cat([way(view, *two, STEPS) for _, two in pairs(view)])
    columns = {
        f"{end} end, position in the test set": view.places[list(which)].numpy()
        for end, which in zip(("left", "right"), zip(*ends, strict=True), strict=True)
    }
    columns["step"] = np.tile(np.arange(1, STEPS + 1), len(codes) // STEPS)
    return Table(columns | code_columns(codes), note=left_out(view.latent))


def pairs(view: View) -> list[tuple[str, tuple[int, int]]]:
    """Pairs of examples, the same for every model of one data set: the first of two classes each.

    The second class goes to the first, then the third to the fourth, and so on; without labels
    they are drawn at random.
    """
    present = view.present()
    if len(present) < 2:
        drawn = np.random.default_rng(0).permutation(len(view.x))[: 2 * PAIRS].tolist()
        if len(drawn) < 2:
            drawn = [0, 0]
        return [("", two) for two in zip(drawn[::2], drawn[1::2], strict=False)]
    order = [present[1], present[0], *present[2:]]
    known = names(view.classes, longest=9)
    chosen = []
    for a, b in list(zip(order[::2], order[1::2], strict=False))[:PAIRS]:
        both = int(view.members(a)[0]), int(view.members(b)[0])
        chosen.append((f"{known[a]} → {known[b]}", both))
    return chosen


def about(view: View) -> str:
    """What the figure is."""
    told = "the first and the last of them are the reconstructions"
    if view.context is not None:
        told = "the model is told the same of all of them: what is known of the left example"
    return (
        "At both ends of a row stand two test examples. Between them are decoded codes at equal "
        f"steps from the code of the one to the code of the other; {told}. See where one thing "
        "turns into the other."
    )


def see(view: View) -> str:
    """What to see in it."""
    if view.context is not None:
        return "What the model is told stays: only what the code itself says changes on the way."
    if view.prior_codes is None:
        return "Where the way leads through a gap between the codes, the images there are ghosts."
    return "The prior leaves few gaps: most images on the way could be examples themselves."


def alt(view: View) -> str:
    """The figure in words."""
    labels = [label for label, _ in pairs(view) if label]
    told = f": {', '.join(labels)}" if labels else ""
    return f"Strips of images that turn from one test example into another{told}."

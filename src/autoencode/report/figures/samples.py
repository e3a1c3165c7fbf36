"""Random codes, decoded."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.explore import uniform_like
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table, code_columns, left_out
from autoencode.report.view import View

TITLE = "What random codes give"
ROWS, COLUMNS = 8, 10
PROBES = 1_000


@styled()
def draw(view: View) -> Picture:
    """Images of random codes: from the prior, or else from anywhere between the codes' ends."""
    pictures = view.decoded(random_codes(view, ROWS * COLUMNS))
    rows = [pictures[start : start + COLUMNS] for start in range(0, len(pictures), COLUMNS)]
    return draw_rows([Row(row, after=0.035) for row in rows])


def random_codes(view: View, n: int) -> Float[Tensor, "n d"]:
    """Codes from the prior; without one, uniform in the box that just holds the examples' codes."""
    if view.prior_codes is not None:
        return view.prior_codes[:n]
    return uniform_like(view.codes, n, torch.Generator().manual_seed(0))


def strays(view: View) -> float:
    """The share of random codes that lie where no examples are.

    That is, farther from every example's code than 99% of those are from the next of them.
    """
    codes = view.drawn_codes
    if len(codes) < 2:
        return 0.0
    # The nearest but one: the nearest is the code itself.
    known = torch.cdist(codes[:PROBES], codes).kthvalue(2, dim=1).values.quantile(0.99)
    found = torch.cdist(random_codes(view, PROBES), codes).amin(1)
    return (found > known).float().mean().item()


def table(view: View) -> Table:
    """A row for each code, in reading order."""
    codes = random_codes(view, ROWS * COLUMNS)
    told = {}
    if view.by_label:
        told["told class"] = [view.classes[label] for label in view.in_turn(len(codes)).tolist()]
    columns = {"image": range(1, len(codes) + 1), **told, **code_columns(codes)}
    return Table(columns, note=left_out(view.latent))


def about(view: View) -> str:
    """What the figure is."""
    turns = " The model is told each class in turn." if view.by_label else ""
    return (
        "Each image is what a random code decodes to. They are the first ones drawn; none was "
        f"chosen.{turns}"
    )


def see(view: View) -> str:
    """What to see in it."""
    lost = (
        f"{strays(view):.0%} of such codes lie farther from every test code than 99% of the test "
        "codes do from their nearest neighbours."
    )
    if view.fitted:
        return (
            "The codes come from a distribution that was fitted to those of the training examples, "
            f"once the model was trained. {lost}"
        )
    if view.prior_codes is not None:
        return (
            "The codes come from the prior, towards which training had drawn those of real "
            f"examples, so that a random code tends to land among them. {lost}"
        )
    return (
        "The codes come from the box that just holds the test codes. Where the box is empty, "
        "the decoder was never asked, and it answers with scraps, with blends, or with the same "
        f"image over and over. {lost}"
    )


def alt(view: View) -> str:
    """The figure in words."""
    source = "the prior" if view.prior_codes is not None else "the box around the test codes"
    source = "what was fitted to the training codes" if view.fitted else source
    return f"{ROWS * COLUMNS} images, decoded from random codes out of {source}."

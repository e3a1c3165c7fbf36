"""Random codes, decoded."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import Picture, styled
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
    low, high = view.codes.amin(0), view.codes.amax(0)
    generator = torch.Generator().manual_seed(0)
    return low + (high - low) * torch.rand(n, view.latent, generator=generator)


def strays(view: View) -> float:
    """The share of random codes that lie where no examples are.

    That is, farther from every example's code than 99% of those are from the next of them.
    """
    if len(view.codes) < 2:
        return 0.0
    probes = view.codes[:PROBES]
    # The nearest but one: the nearest is the probe itself.
    known = torch.cdist(probes, view.codes).kthvalue(2, dim=1).values.quantile(0.99)
    found = torch.cdist(random_codes(view, PROBES), view.codes).amin(1)
    return (found > known).float().mean().item()


def caption(view: View) -> str:
    """What to see."""
    lost = (
        f"{strays(view):.0%} of such codes lie farther from every test code than 99% of the test "
        "codes do from their neighbours. None was picked."
    )
    if view.prior_codes is not None:
        return (
            "Codes drawn from the prior, and what they decode to: images that never were. In "
            "training the codes of real examples were drawn towards this same prior, so that a "
            f"random code lands among them. {lost}"
        )
    return (
        "Codes drawn at random from the box that just holds the test codes, and what they decode "
        "to. Nothing told this model where its codes should lie: where the box is empty, the "
        "decoder was never asked, and it answers with scraps, with blends, or with the same image "
        f"over and over. {lost}"
    )


def alt(view: View) -> str:
    """The figure in words."""
    source = "the prior" if view.prior_codes is not None else "the box around the test codes"
    return f"{ROWS * COLUMNS} images, decoded from random codes out of {source}."

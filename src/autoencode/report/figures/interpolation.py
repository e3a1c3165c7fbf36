"""Images decoded between the codes of two examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.contract import Space
from autoencode.explore import interpolate
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Column, Table, code_columns, omitted_dimensions
from autoencode.report.view import View

PAIRS, STEPS = 5, 8
POSITION = "{} example, position in the test set"


@final
@dataclass(frozen=True)
class Interpolation(ViewFigure):
    """A strip for each of some pairs of examples."""

    key = "interpolation"
    title = "Interpolation"

    @classmethod
    def applies(cls, view: View) -> bool:
        """Codes of a finite code book have nothing between them."""
        return view.model.space is not Space.CODES

    @styled()
    def draw(self) -> Picture:
        """The original, decoded codes, the other original."""
        rows: list[Row] = []
        for label, (first, second) in pairs(self.view):
            rows.append(strip(self.view, first, second, STEPS, label, with_titles=not rows))
        return draw_rows(rows)

    def table(self) -> Table:
        """A row for each code, with the positions of the examples at the ends."""
        columns = code_table({"": self.view}, PAIRS)
        del columns["model"]
        return Table(columns, note=omitted_dimensions(self.view.latent))

    def caption(self) -> str:
        ends = "The first and the last of them are the reconstructions."
        if self.view.context is not None:
            ends = "All of them have the context of the left example."
        return (
            "Each row has two test examples at its ends and images decoded at equal steps between "
            f"their codes. {ends}"
        )

    def findings(self) -> str:
        return claims.off_manifold("Interpolated images", implausible(self.view, PAIRS))

    def alt(self) -> str:
        labels = [label for label, _ in pairs(self.view) if label]
        between = f": {', '.join(labels)}" if labels else ""
        return f"Strips of images interpolated between two test examples{between}."


def code_table(views: Mapping[str, View], n_pairs: int) -> dict[str, Column]:
    """A row for each code of some models by name, with the examples at the ends of its strip."""
    models, ends, codes = [], [], []
    for name, view in views.items():
        for _, two in pairs(view)[:n_pairs]:
            models += [name] * STEPS
            ends += [view.positions[list(two)].tolist()] * STEPS
            codes.append(interpolated(view, *two, STEPS))
    left, right = zip(*ends, strict=True)
    return {
        "model": models,
        POSITION.format("left"): left,
        POSITION.format("right"): right,
        "step": np.tile(np.arange(1, STEPS + 1), len(codes)),
        **code_columns(*codes),
    }


def implausible(view: View, n_pairs: int) -> float | None:
    """The share of implausible images between the ends; None for few examples."""
    images = [
        view.decode(interpolated(view, first, second, STEPS)[1:-1], torch.tensor([first]))
        for _, (first, second) in pairs(view)[:n_pairs]
    ]
    return measurements.implausible_share(view, torch.cat(images))


def strip(
    view: View, first: int, second: int, n: int, label: str = "", *, with_titles: bool = True
) -> Row:
    """Two examples, given by their indices, and n decoded codes from the one to the other."""
    codes = interpolated(view, first, second, n)
    ends = view.originals([first, second])
    pictures = np.concatenate([ends[:1], view.decoded(codes, torch.tensor([first])), ends[1:]])
    above = ("original", *[""] * n, "original") if with_titles else ()
    return Row(pictures, label, above, space_below=0.1)


def interpolated(view: View, first: int, second: int, n: int) -> Float[Tensor, "n d"]:
    """n codes at equal steps between the codes of two examples."""
    z = view.codes[[first, second]].view(2, *view.model.sizes.z)
    return interpolate(z[0], z[1], n, view.model.space).flatten(1)


def pairs(view: View) -> list[tuple[str, tuple[int, int]]]:
    """Label and indices of pairs of examples, the same for every model of one data set.

    The first examples of two classes each: second and first class, third and fourth, and so on;
    without labels, examples drawn at random.
    """
    present = view.present_classes()
    if len(present) < 2:
        drawn = np.random.default_rng(0).permutation(len(view.x))[: 2 * PAIRS].tolist()
        if len(drawn) < 2:
            drawn = [0, 0]
        return [("", two) for two in zip(drawn[::2], drawn[1::2], strict=False)]
    order = [present[1], present[0], *present[2:]]
    labels = names(view.classes, longest=9)
    chosen = []
    for a, b in list(zip(order[::2], order[1::2], strict=False))[:PAIRS]:
        both = int(view.members(a)[0]), int(view.members(b)[0])
        chosen.append((f"{labels[a]} → {labels[b]}", both))
    return chosen

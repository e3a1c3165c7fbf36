"""Black or white: every number of an example drawn as a bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from autoencode.data.records import Split, scaled

# Examples drawn at once: their probabilities are floats, four bytes for each.
AT_ONCE = 4096


def binarised(
    parts: Mapping[str, Split],
    how: str,
    seed: int,
    keep: Callable[[str, Tensor, Iterable[Tensor]], Tensor] | None = None,
) -> dict[str, Split]:
    """The parts as bits, 1 with the probability that the pixel is bright.

    "static" draws every part once. "dynamic" leaves the training part as probabilities, of which
    each look draws anew, and draws the others once. Validation and test are the same either way:
    figures of both kinds are taken on the same bits.

    keep: brings the bits of a part, which come in pieces, to where they stay; None is beside x.
    """
    keep = keep or (lambda _, x, pieces: beside(x, pieces))
    found = {}
    for i, (name, part) in enumerate(parts.items()):
        if name == "train" and how == "dynamic":
            found[name] = replace(part, random=True)
        else:
            generator = torch.Generator().manual_seed((seed * len(parts) + i) % 2**63)
            found[name] = replace(part, x=keep(name, part.x, bits(part.x, generator)))
    return found


def still(part: Split) -> Split:
    """The part as one draw of itself, always the same, to measure on; others are as they were."""
    if not part.random:
        return part
    drawn = bits(part.x, torch.Generator().manual_seed(0))
    return replace(part, x=beside(part.x, drawn), random=False)


def bits(x: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """0 or 255, uint8, for probabilities [N, *X], uint8 over 255 or floats in [0, 1]; in pieces."""
    for start in range(0, len(x), AT_ONCE):
        drawn = torch.bernoulli(scaled(x[start : start + AT_ONCE]), generator=generator)
        yield drawn.mul_(255).to(torch.uint8)


def beside(x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
    """The pieces one after the other, uint8, of the shape of x."""
    return put(torch.empty(x.shape, dtype=torch.uint8), pieces)


def put(x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
    """x [N, *X], in which the pieces lie one after the other."""
    start = 0
    for piece in pieces:
        x[start : start + len(piece)] = piece
        start += len(piece)
    return x

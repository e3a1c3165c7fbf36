"""Binarisation: every pixel becomes 0 or 1, drawn with its brightness as the probability of 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from autoencode.data.records import Split, scaled

# Examples drawn at once: their probabilities are floats, four bytes for each.
BLOCK = 4096


def binarised(
    parts: Mapping[str, Split],
    method: str,
    seed: int,
    store: Callable[[str, Tensor, Iterable[Tensor]], Tensor],
) -> dict[str, Split]:
    """Draw the parts as bits.

    "static" draws every part once. "dynamic" leaves the training part as probabilities, from which
    every batch draws new bits, and draws the other parts once. Validation and test are equal with
    both methods, so figures of both are taken on the same bits.

    store: receives the name of a part, its x and its bits in pieces, and returns the joined bits.
    """
    found = {}
    for i, (name, part) in enumerate(parts.items()):
        if name == "train" and method == "dynamic":
            found[name] = replace(part, random=True)
        else:
            generator = torch.Generator().manual_seed((seed * len(parts) + i) % 2**63)
            found[name] = replace(part, x=store(name, part.x, draw_bits(part.x, generator)))
    return found


def still(part: Split) -> Split:
    """The part with bits drawn once, with a fixed seed, if it draws new bits in every batch."""
    if not part.random:
        return part
    bits = draw_bits(part.x, torch.Generator().manual_seed(0))
    empty = torch.empty(part.x.shape, dtype=torch.uint8)
    return replace(part, x=copy_pieces(bits, empty), random=False)


def draw_bits(x: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Bits 0 or 255, uint8, of examples [N, *X], uint8 or floats in [0, 1]; in pieces of N."""
    for start in range(0, len(x), BLOCK):
        bits = torch.bernoulli(scaled(x[start : start + BLOCK]), generator=generator)
        yield bits.mul_(255).to(torch.uint8)


def copy_pieces(pieces: Iterable[Tensor], out: Tensor) -> Tensor:
    """Copy pieces [n, *X] one after the other into `out` [N, *X]."""
    start = 0
    for piece in pieces:
        out[start : start + len(piece)] = piece
        start += len(piece)
    return out

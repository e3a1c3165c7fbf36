"""How evenly codes use the entries of codebooks."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def perplexities(index: Int[Tensor, "books n"], entries: int) -> Float[Tensor, " books"]:
    """Effective number of entries of each codebook, from 1 to `entries`, float64.

    It is e to the entropy of their frequencies: k entries that are equally frequent give k.

    >>> perplexities(torch.tensor([[0, 0, 3, 3]]), 8).round(decimals=3)
    tensor([2.], dtype=torch.float64)
    """
    counts = _counts(index, entries)
    frequencies = counts / counts.sum(1, keepdim=True).clamp(min=1)
    entropies: Tensor = torch.special.entr(frequencies).sum(1)
    return entropies.exp()


def used_shares(index: Int[Tensor, "books n"], entries: int) -> Float[Tensor, " books"]:
    """The share of entries of each codebook that occur at least once, float64.

    >>> used_shares(torch.tensor([[0, 0, 3, 3]]), 8)
    tensor([0.2500], dtype=torch.float64)
    """
    return (_counts(index, entries) > 0).double().mean(1)


def _counts(index: Tensor, entries: int) -> Tensor:
    return torch.stack([torch.bincount(each, minlength=entries) for each in index]).double()

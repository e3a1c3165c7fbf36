"""Random codes for models without a prior."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def uniform_like(codes: Float[Tensor, "m d"], n: int, generator: Generator) -> Float[Tensor, "n d"]:
    """`n` codes, uniform per dimension between the minimum and the maximum of `codes`."""
    low, high = codes.amin(0), codes.amax(0)
    return low + (high - low) * torch.rand(n, codes.shape[1], generator=generator)


def in_class(
    codes: Float[Tensor, "m d"],
    labels: Tensor,
    label: int,
    n: int,
    generator: Generator,
    neighbours: int = 15,
    temperature: float = 1.0,
) -> tuple[Float[Tensor, "k d"], float]:
    """Up to `n` codes near those of a class, where it is the majority of the nearest codes.

    A candidate is the code of a random example of the class plus normal noise, as wide as the
    usual distance to its second neighbour of the class; it is kept if more than half of the
    `neighbours` nearest codes, of all classes, have the label.

    labels: of the codes, [m], int64.   temperature: factor of the noise.

    Returns the codes and the share of the candidates that were kept; no codes if the class is a
    majority nowhere.

    >>> codes = torch.cat([torch.zeros(30, 2), torch.ones(30, 2)])
    >>> found, kept = in_class(codes, torch.arange(60) // 30, 1, 4, Generator().manual_seed(0))
    >>> found.mean().item(), kept
    (1.0, 1.0)
    """
    members = codes[labels == label]
    k = min(neighbours, len(codes))
    some = members[torch.randperm(len(members), generator=generator)[:500]]
    # The first is the code itself; wider noise would leave where the decoder was trained.
    nearest = torch.cdist(some, members).topk(min(3, len(members)), largest=False).values
    width = nearest[:, -1].median() / math.sqrt(codes.shape[1])
    found: list[Tensor] = []
    tried = 0
    while tried < 100 * max(n, 10) and sum(map(len, found)) < n:
        chosen = torch.randint(len(members), (max(n, 64),), generator=generator)
        noise = torch.randn(len(chosen), codes.shape[1], generator=generator)
        z = members[chosen] + temperature * width * noise
        near = torch.cdist(z, codes).topk(k, largest=False).indices
        good = (labels[near] == label).float().mean(1) > 0.5
        found.append(z[good])
        tried += len(z)
    kept = torch.cat(found) if found else codes[:0]
    return kept[:n], len(kept) / max(tried, 1)

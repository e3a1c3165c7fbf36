"""How far two clouds of points are apart, known by draws alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.maths.precision import widen


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖aᵢ − bⱼ‖² of points [*S, N, d] and [*S, M, d]: [*S, N, M]."""
    # By products of matrices it would be quicker, and small distances would be lost in rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def mean_discrepancy(a: Tensor, b: Tensor, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    """The squared maximum mean discrepancy of draws [*S, N, d] and [*S, M, d]: [*S].

    Mean of k(a, a′) + mean of k(b, b′) − 2 · mean of k(a, b), over pairs of different draws: an
    unbiased estimate, 0 on average for one distribution and then as often negative as positive.
    A single draw has no pair, and tells nothing: 0.  Source: [gretton2012].

    kernel: squared distances to k, elementwise.
    """
    if min(a.shape[-2], b.shape[-2]) < 2:
        return 0.0 * (a.sum((-2, -1)) + b.sum((-2, -1)))

    def within(draws: Tensor) -> Tensor:
        k, n = kernel(squared_distances(draws, draws)), draws.shape[-2]
        return (k.sum((-2, -1)) - k.diagonal(dim1=-2, dim2=-1).sum(-1)) / (n * (n - 1))

    return within(a) + within(b) - 2 * kernel(squared_distances(a, b)).mean((-2, -1))


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int) -> Tensor:
    """The squared 2-Wasserstein distance of two clouds on random lines: [*S, N, d] twice to [*S].

    Mean over `projections` directions θ, drawn anew, of the mean of (⟨θ, a⟩₍ᵢ₎ − ⟨θ, b⟩₍ᵢ₎)² over
    the sorted draws. For each direction that distance is exact.  Source: [kolouri2019].
    """
    a, b = widen(a), widen(b)
    noise = torch.randn(projections, a.shape[-1], dtype=a.dtype, device=a.device)
    directions = functional.normalize(noise, dim=-1)
    with torch.autocast(a.device.type, enabled=False):
        lines = [functional.linear(draws, directions).sort(-2).values for draws in (a, b)]
    return (lines[0] - lines[1]).square().mean((-2, -1))

"""Distances between two distributions, estimated from samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.maths.precision import widen


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """‖aᵢ − bⱼ‖² of points [*S, N, d] and [*S, M, d]: [*S, N, M]."""
    # Matrix products would be faster, but small distances would be lost to rounding.
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def mean_discrepancy(a: Tensor, b: Tensor, kernel: Callable[[Tensor], Tensor]) -> Tensor:
    """Squared maximum mean discrepancy of samples [*S, N, d] and [*S, M, d]: [*S].

    Mean of k(a, a′) + mean of k(b, b′) − 2 · mean of k(a, b), over pairs of different samples. The
    estimate is unbiased: it is 0 on average for equal distributions, and may be negative. It is 0
    for a single sample.  Source: [gretton2012].

    kernel: maps squared distances to k, elementwise.
    """
    if min(a.shape[-2], b.shape[-2]) < 2:
        return 0.0 * (a.sum((-2, -1)) + b.sum((-2, -1)))

    def within(samples: Tensor) -> Tensor:
        k, n = kernel(squared_distances(samples, samples)), samples.shape[-2]
        return (k.sum((-2, -1)) - k.diagonal(dim1=-2, dim2=-1).sum(-1)) / (n * (n - 1))

    return within(a) + within(b) - 2 * kernel(squared_distances(a, b)).mean((-2, -1))


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int) -> Tensor:
    """Squared sliced 2-Wasserstein distance of samples a and b, both [*S, N, d]: [*S].

    The mean over `projections` random directions θ of the mean of (⟨θ, a⟩₍ᵢ₎ − ⟨θ, b⟩₍ᵢ₎)² over the
    sorted samples, which is exact for each direction.  Source: [kolouri2019].
    """
    a, b = widen(a), widen(b)
    noise = torch.randn(projections, a.shape[-1], dtype=a.dtype, device=a.device)
    directions = functional.normalize(noise, dim=-1)
    with torch.autocast(a.device.type, enabled=False):
        lines = [functional.linear(z, directions).sort(-2).values for z in (a, b)]
    return (lines[0] - lines[1]).square().mean((-2, -1))

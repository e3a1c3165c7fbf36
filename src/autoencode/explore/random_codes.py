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


def normal_like(codes: Float[Tensor, "m d"], n: int, generator: Generator) -> Float[Tensor, "n d"]:
    """`n` codes from the normal distribution with the mean and covariance of `codes`."""
    centred = codes - codes.mean(0)
    # Random combinations of the deviations have their covariance; no decomposition is needed.
    noise = torch.randn(n, len(codes), generator=generator)
    return codes.mean(0) + noise @ centred / math.sqrt(max(1, len(codes) - 1))

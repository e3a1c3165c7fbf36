"""Random codes for models that have no prior to draw from."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Generator, Tensor


def uniform_like(codes: Float[Tensor, "m d"], n: int, generator: Generator) -> Float[Tensor, "n d"]:
    """`n` codes, each number uniform between the lowest and the highest that `codes` have there."""
    low, high = codes.amin(0), codes.amax(0)
    return low + (high - low) * torch.rand(n, codes.shape[1], generator=generator)


def normal_like(codes: Float[Tensor, "m d"], n: int, generator: Generator) -> Float[Tensor, "n d"]:
    """`n` codes from the normal distribution with the mean and covariance of `codes`.

    With the codes of one class, these decode to new images of that class.
    """
    centred = codes - codes.mean(0)
    # One noise a code mixes the deviations to exactly their covariance; no matrix is inverted.
    noise = torch.randn(n, len(codes), generator=generator)
    return codes.mean(0) + noise @ centred / math.sqrt(max(1, len(codes) - 1))

"""Codes on the unit sphere."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from autoencode.contract import Bottleneck, Code, Sizes, Space
from autoencode.errors import RecipeError
from autoencode.maths import PowerSpherical

# From nearly uniform to as dense as float32 can still say.
LOG_CONCENTRATION = (-7.0, 9.0)


class Sphere(Bottleneck):
    """A power-spherical posterior on the unit sphere in ℝᵈ: q(z|x) ∝ (1 + μᵀz)^κ.

    μ = h₁ / ‖h₁‖ and κ = d · exp(mean h₂), with h = (h₁, h₂); ln κ is kept within [−7, 9]. The code
    without samples is μ, the direction where q is densest. d = 2 is a circle.
    Source: [decao2020]; [davidson2018].

    Raises:
        RecipeError: a code of one number, whose sphere is two points.
    """

    space = Space.SPHERE
    random = True
    maps = False
    features = 2

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        if sizes.latent < 2:
            raise RecipeError(
                "A code of one number has no sphere to live on",
                "Give it two or more: latent=2 is a circle.",
            )

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is μ [B, d], or with `samples` reparametrised draws [S, B, d]."""
        towards, dense = h.chunk(2, -1)
        direction = functional.normalize(towards, dim=-1)
        log_concentration = math.log(towards.shape[-1]) + dense.mean(-1)
        q = PowerSpherical(direction, log_concentration.clamp(*LOG_CONCENTRATION).exp())
        return Code(direction if samples is None else q.rsample(torch.Size((samples,))), q)

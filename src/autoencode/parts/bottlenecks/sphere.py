"""A bottleneck whose codes lie on the unit sphere."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from autoencode.contract import Bottleneck, Code, Sizes, Space
from autoencode.errors import RecipeError
from autoencode.maths import PowerSpherical
from autoencode.parts.bottlenecks.plain import stochastic_code

# From almost uniform to the highest concentration that float32 can represent.
LOG_CONCENTRATION_RANGE = (-7.0, 9.0)


class Sphere(Bottleneck):
    """Power-spherical posterior on the unit sphere in ℝᵈ: q(z|x) ∝ (1 + μᵀz)^κ.

    h = (h₁, h₂), μ = h₁ / ‖h₁‖ and κ = d · exp(mean h₂); ln κ is clamped to [−7, 9]. The code
    without samples is μ, the mode of q.  Source: [decao2020]; [davidson2018].

    Raises:
        RecipeError: fewer than two latent dimensions.
    """

    name = "sphere"
    space = Space.SPHERE
    random = True
    maps = False
    features = 2

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        if sizes.latent < 2:
            raise RecipeError(
                "Codes on a sphere need two or more latent dimensions, and this recipe has one",
                "Use latent=2, a circle, or more.",
            )

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is μ [B, d], or with `samples` reparametrised samples [S, B, d]."""
        direction, concentration = h.chunk(2, -1)
        direction = functional.normalize(direction, dim=-1)
        log_concentration = math.log(direction.shape[-1]) + concentration.mean(-1)
        q = PowerSpherical(direction, log_concentration.clamp(*LOG_CONCENTRATION_RANGE).exp())
        return stochastic_code(q, direction, samples)

"""A likelihood that looks at neighbourhoods of pixels."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Likelihood, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import SimilarityEnergy, widen

# The shortest side on which a window of structure means anything.
SHORTEST = 8


class MSSSIM(Likelihood):
    """p(x|z) ∝ exp(−scale · (1 − MS-SSIM(x, sigmoid(θ)))): error as the eye sees it.

    Edges and texture count, and small shifts of brightness hardly do. `scale` says how many nats
    an image costs that has nothing in common with its original. The density is not normalised, so
    its nats compare with those of no other likelihood; see `SimilarityEnergy`.
    Source: [snell2017], [wang2003].

    Raises:
        RecipeError: examples are vectors, or images with a side below 8.
    """

    normalised = False

    def __init__(self, sizes: Sizes, scale: Annotated[float, Within(1e-3, 1e6)] = 300.0) -> None:
        super().__init__(sizes)
        if sizes.image is None or min(sizes.image[1:]) < SHORTEST:
            raise RecipeError(
                f"The ms-ssim likelihood compares images with sides of {SHORTEST} pixels or more, "
                f"and one example here has the shape {sizes.x}",
                'Use likelihood "gaussian".',
            )
        self.scale = scale

    def forward(self, theta: Tensor) -> Distribution:
        """Outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        return SimilarityEnergy(torch.sigmoid(theta), self.scale, len(self.sizes.x))

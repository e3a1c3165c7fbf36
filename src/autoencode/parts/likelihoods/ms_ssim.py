"""A reconstruction error based on structural similarity."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Likelihood, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import SimilarityEnergy, widen

# Minimum height and width of an image in pixels; on smaller ones the SSIM window is too small.
MIN_SIDE = 8


class MSSSIM(Likelihood):
    """Structural similarity: p(x|z) ∝ exp(−scale · (1 − MS-SSIM(x, sigmoid(θ)))).

    The error depends on edges and texture more than on brightness. `scale` is the value of
    −ln p(x|z) at MS-SSIM = 0. The density is not normalised, so the value has no unit and cannot
    be compared with other likelihoods; see `SimilarityEnergy`.
    Source: [snell2017], [wang2003].

    Raises:
        RecipeError: examples are vectors, or images with a side below 8.
    """

    name = "ms-ssim"
    normalised = False

    def __init__(self, sizes: Sizes, scale: Annotated[float, Within(1e-3, 1e6)] = 300.0) -> None:
        super().__init__(sizes)
        if sizes.image is None or min(sizes.image[1:]) < MIN_SIDE:
            raise RecipeError(
                f"The ms-ssim likelihood compares images with sides of {MIN_SIDE} pixels or more, "
                f"and one example here has the shape {sizes.x}",
                'Use likelihood "gaussian".',
            )
        self.scale = scale

    def forward(self, theta: Tensor) -> Distribution:
        """Outputs [*S, B, 1, *X] to a distribution with batch [*S, B], event [*X]."""
        theta = widen(theta).squeeze(-1 - len(self.sizes.x))
        return SimilarityEnergy(torch.sigmoid(theta), self.scale, len(self.sizes.x))

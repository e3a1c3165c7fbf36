"""The priors that have nothing to learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Code, Prior, Sizes, Space
from autoencode.maths import BoxUniform, SphereUniform, standard_normal


class StandardNormal(Prior):
    """p(z) = N(0, I).  Source: [kingma2014]."""

    space = Space.REAL

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        # Follows the model to its device and precision; nothing to save.
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        return standard_normal(self.sizes.z, like=self.get_buffer("origin"))


class UniformInBox(Prior):
    """p(z) = 2⁻ᵈ in the box (−1, 1)ᵈ: no place is more likely than another, and none is outside."""

    space = Space.BOX

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        return BoxUniform(self.sizes.z, like=self.get_buffer("origin"))


class UniformOnSphere(Prior):
    """Every direction alike: the uniform density on the unit sphere in ℝᵈ.

    Source: [davidson2018].
    """

    space = Space.SPHERE

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [d], no batch."""
        return SphereUniform(self.sizes.latent, like=self.get_buffer("origin"))

"""Priors without parameters."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Code, Prior, Sizes, Space
from autoencode.maths import BoxUniform, SphereUniform, standard_normal


class FixedPrior(Prior):
    """Base class of priors without parameters; they follow the model's device and precision."""

    origin: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.register_buffer("origin", torch.zeros(()), persistent=False)


class StandardNormal(FixedPrior):
    """p(z) = N(0, I).  Source: [kingma2014]."""

    name = "normal"
    space = Space.REAL

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        return standard_normal(self.sizes.z, like=self.origin)


class UniformInBox(FixedPrior):
    """The uniform distribution on the box (−1, 1)ᵈ: p(z) = 2⁻ᵈ."""

    name = "uniform"
    space = Space.BOX

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        return BoxUniform(self.sizes.z, like=self.origin)


class UniformOnSphere(FixedPrior):
    """The uniform distribution on the unit sphere in ℝᵈ.  Source: [davidson2018]."""

    name = "sphere-uniform"
    space = Space.SPHERE

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [d], no batch."""
        return SphereUniform(self.sizes.latent, like=self.origin)

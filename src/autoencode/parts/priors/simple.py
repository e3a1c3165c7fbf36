"""The priors that have nothing to learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution

from autoencode.contract import Code, Prior, Sizes, Space
from autoencode.maths import standard_normal


class StandardNormal(Prior):
    """p(z) = N(0, I).  Source: [kingma2014]."""

    space = Space.REAL

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        # Follows the model to its device and precision; nothing to save.
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(self, c: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        return standard_normal(self.sizes.z, like=self.get_buffer("origin"))

"""Mixtures that are learned together with the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from autoencode.contract import Code, Prior, Sizes, Space, Within
from autoencode.errors import RecipeError
from autoencode.maths import Mixture

Components = Annotated[int, Within(1, 100_000)]
# Beyond these a component's variance would under- or overflow.
LOG_SCALE = (-10.0, 10.0)


class NormalMixture(Prior):
    """p(z|c) = Σₖ πₖ(c) N(z; mₖ, diag sₖ²), with weights, means and scales learned.

    With a context the components are shared and their weights follow it, ln πₖ(c) = wₖ + (W c)ₖ up
    to a constant, so that each class may choose its own.  Source: [jiang2017].

    components: their number K.
    spread: standard deviation of the means at the start; all scales start at 1.
    """

    space = Space.REAL

    def __init__(
        self,
        sizes: Sizes,
        components: Components = 10,
        spread: Annotated[float, Within(0.0, 1e3)] = 1.0,
    ) -> None:
        super().__init__(sizes)
        self.components, self.spread = components, spread
        self.log_weights = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(spread * torch.randn(components, *sizes.z))
        self.log_scales = nn.Parameter(torch.zeros(components, *sizes.z))
        self.by_context = (
            nn.Parameter(torch.zeros(sizes.context, components)) if sizes.context else None
        )

    def forward(self, c: Tensor | None, encode: Callable[[Tensor], Code]) -> Mixture:
        """Event [*Z]; batch [B] where there is a context, else none."""
        return self._mixture(c)

    def responsibilities(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Ln p(k|z, c) in nats, [..., K] for codes z [..., *Z]."""
        return self._mixture(c).responsibilities(z)

    def _mixture(self, c: Tensor | None) -> Mixture:
        scales = self.log_scales.clamp(*LOG_SCALE).exp()
        normals = Normal(self.means, scales, validate_args=False)
        components: Distribution = Independent(normals, len(self.sizes.z))
        if c is None or self.by_context is None:
            return Mixture(self.log_weights, components)
        log_weights = self.log_weights + (c.unsqueeze(-1) * self.by_context).sum(-2)
        return Mixture(log_weights, components.expand(log_weights.shape))


class Vamp(Prior):
    """p(z) = 1/K Σₖ q(z|uₖ): the mean of the posteriors of K examples uₖ that are learned.

    The prior that is best for the rate is the mean of all posteriors; this one has a few instead,
    of pseudo-inputs in [0, 1] that move until they serve all. It is the same for every context;
    the encoder is told none with them. With batch normalisation the pseudo-inputs are normalised
    by themselves while training: take a network without it.  Source: [tomczak2018].

    components: the number K; each costs as much as an example in the batch.

    Raises:
        RecipeError: the bottleneck gives no posterior.
    """

    space = Space.REAL

    def __init__(self, sizes: Sizes, components: Components = 200) -> None:
        super().__init__(sizes)
        self.components = components
        # Dim noise, each with a brightness of its own, so that they begin apart.
        brightness = torch.randn(components, *[1] * len(sizes.x)) - 1
        self.logits = nn.Parameter(brightness + torch.randn(components, *sizes.x))

    @property
    def pseudo_inputs(self) -> Tensor:
        """The examples uₖ, [K, *X] in [0, 1]."""
        return self.logits.sigmoid()

    def forward(self, c: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        posteriors = encode(self.pseudo_inputs).q
        if posteriors is None:
            raise RecipeError(
                'The prior "vamp" is made of posteriors q(z|x), and this bottleneck gives a point',
                'Use bottleneck "gaussian".',
            )
        return Mixture(self.logits.new_zeros(self.components), posteriors)

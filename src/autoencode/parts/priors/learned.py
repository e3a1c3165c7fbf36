"""Mixtures that are learned together with the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional

from autoencode.contract import Code, FittedPrior, Prior, Sizes, Space, Within
from autoencode.errors import DataError, RecipeError
from autoencode.maths import MixtureDistribution, tsne_clusters

Steps = Annotated[int, Within(1, 10**9)]
Components = Annotated[int, Within(1, 100_000)]
# Beyond these a component's variance would under- or overflow.
LOG_SCALE = (-10.0, 10.0)
# Codes for each component, and the narrowest scale, that a fit begins with.
LEAST, NARROWEST = 10, 1e-3


class NormalMixture(FittedPrior):
    """p(z|c) = Σₖ πₖ(c) N(z; mₖ, diag sₖ²), with weights, means and scales learned.

    With a context the components are shared and their weights follow it, ln πₖ(c) = wₖ + (W c)ₖ up
    to a constant, so that each class may choose its own.  Source: [jiang2017].

    From a random start the components seldom find the classes of the data: many share one, or one
    holds several. With `after` they begin again, once the codes have taken shape, where
    `tsne_clusters` finds clusters of codes; the paper begins with normals fitted to them.

    components: their number K.
    spread: standard deviation of the means at the start; all scales start at 1.
    after: training steps before the components are put where clusters are; None: never.
    """

    space = Space.REAL
    clustered = True

    def __init__(
        self,
        sizes: Sizes,
        components: Components = 10,
        spread: Annotated[float, Within(0.0, 1e3)] = 1.0,
        after: Steps | None = None,
    ) -> None:
        super().__init__(sizes)
        self.components, self.spread, self.after = components, spread, after
        self.log_weights = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(spread * torch.randn(components, *sizes.z))
        self.log_scales = nn.Parameter(torch.zeros(components, *sizes.z))
        self.by_context = (
            nn.Parameter(torch.zeros(sizes.context, components)) if sizes.context else None
        )

    def forward(
        self, context: Tensor | None, encode: Callable[[Tensor], Code]
    ) -> MixtureDistribution:
        """Event [*Z]; batch [B] where there is a context, else none."""
        return self._mixture(context)

    def fit(self, z: Tensor, seed: int) -> None:
        """See `FittedPrior.fit`: the share, mean and scale of each cluster of codes.

        Raises:
            DataError: fewer than ten codes for each component.
        """
        if len(z) < LEAST * self.components:
            raise DataError(
                f"{self.components} components are to be fitted to {len(z):,} codes",
                "Give more examples, or fewer components: --set prior.components=2.",
            )
        cluster = tsne_clusters(z, self.components, seed)
        member = functional.one_hot(cluster, self.components).to(z.dtype)
        count = member.sum(0).clamp(min=1)
        shape = (-1, *self.sizes.z)
        means = (member.T @ z.flatten(1)) / count[:, None]
        apart = (z.flatten(1) - means[cluster]).square()
        scales = ((member.T @ apart) / count[:, None]).sqrt()
        with torch.no_grad():
            self.log_weights.copy_((count / count.sum()).log())
            self.means.copy_(means.reshape(shape))
            self.log_scales.copy_(scales.clamp(min=NARROWEST).log().reshape(shape))
            if self.by_context is not None:
                self.by_context.zero_()

    def responsibilities(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Ln p(k|z, c) in nats, [..., K] for codes z [..., *Z]."""
        return self._mixture(context).responsibilities(z)

    def _mixture(self, context: Tensor | None) -> MixtureDistribution:
        scales = self.log_scales.clamp(*LOG_SCALE).exp()
        normals = Normal(self.means, scales, validate_args=False)
        components: Distribution = Independent(normals, len(self.sizes.z))
        if context is None or self.by_context is None:
            return MixtureDistribution(self.log_weights, components)
        log_weights = self.log_weights + (context.unsqueeze(-1) * self.by_context).sum(-2)
        return MixtureDistribution(log_weights, components.expand(log_weights.shape))


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

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        posteriors = encode(self.pseudo_inputs).q
        if posteriors is None:
            raise RecipeError(
                'The prior "vamp" is made of posteriors q(z|x), and this bottleneck gives a point',
                'Use bottleneck "gaussian".',
            )
        return MixtureDistribution(self.logits.new_zeros(self.components), posteriors)

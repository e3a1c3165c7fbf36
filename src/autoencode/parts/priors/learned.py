"""Mixture priors that are learned jointly with the model."""

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
from autoencode.maths.sharding import sharded

Steps = Annotated[int, Within(1, 10**9)]
Components = Annotated[int, Within(1, 100_000)]
# Outside this range of ln σ the variance of a component would overflow or underflow.
LOG_SCALE_RANGE = (-10.0, 10.0)
# A fit needs this number of codes per component.
MIN_CODES_PER_COMPONENT = 10
# Minimum standard deviation of a fitted component.
MIN_SCALE = 1e-3


class NormalMixture(FittedPrior):
    """Mixture of normals, p(z|c) = Σₖ πₖ(c) N(z; mₖ, diag sₖ²), with learned weights, m and s.

    With a context the components are shared and their weights depend on it: ln πₖ(c) = wₖ + (W c)ₖ
    up to a constant.  Source: [jiang2017].

    From random initial values the components rarely match the classes of the data. With `after`,
    they are re-initialised during training at the clusters that `tsne_clusters` finds in the codes;
    the paper initialises them with a mixture that is fitted to the codes of a pretrained model.

    components: number K of components.
    spread: standard deviation of the initial means; all scales start at 1.
    after: training steps before the re-initialisation; None for no re-initialisation.
    """

    name = "mixture"
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
        """Event [*Z]; batch [B] if there is a context, else none."""
        return self._mixture(context)

    def fit(self, z: Tensor, seed: int) -> None:
        """Sets each component to the weight, mean and scale of one cluster of codes.

        Raises:
            DataError: fewer than ten codes per component.
        """
        if len(z) < MIN_CODES_PER_COMPONENT * self.components:
            raise DataError(
                f"{self.components} components are to be fitted to {len(z):,} codes",
                "Give more examples, or fewer components: --set prior.components=2.",
            )
        cluster = tsne_clusters(z, self.components, seed)
        member = functional.one_hot(cluster, self.components).to(z.dtype)
        count = member.sum(0).clamp(min=1)
        shape = (-1, *self.sizes.z)
        means = (member.T @ z.flatten(1)) / count[:, None]
        deviations = (z.flatten(1) - means[cluster]).square()
        scales = ((member.T @ deviations) / count[:, None]).sqrt()
        with torch.no_grad():
            self.log_weights.copy_((count / count.sum()).log())
            self.means.copy_(means.reshape(shape))
            self.log_scales.copy_(scales.clamp(min=MIN_SCALE).log().reshape(shape))
            if self.by_context is not None:
                self.by_context.zero_()

    def responsibilities(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Ln p(k|z, c) in nats, [..., K] for codes z [..., *Z]."""
        return self._mixture(context).responsibilities(z)

    def _mixture(self, context: Tensor | None) -> MixtureDistribution:
        scales = self.log_scales.clamp(*LOG_SCALE_RANGE).exp()
        normals = Normal(self.means, scales, validate_args=False)
        components: Distribution = Independent(normals, len(self.sizes.z))
        if context is None or self.by_context is None:
            return MixtureDistribution(self.log_weights, components)
        log_weights = self.log_weights + (context.unsqueeze(-1) * self.by_context).sum(-2)
        return MixtureDistribution(log_weights, components.expand(log_weights.shape))


class Vamp(Prior):
    """VampPrior: p(z) = 1/K Σₖ q(z|uₖ), the mean posterior of K learned pseudo-inputs uₖ.

    The mean of all posteriors would minimise the KL term; the VampPrior approximates it with K
    pseudo-inputs in [0, 1]. It does not depend on the context, and the pseudo-inputs are encoded
    without one. In training, batch normalisation would use the statistics of the pseudo-inputs, so
    use a network without it.  Source: [tomczak2018].

    components: number K; each costs as much computation as one example of the batch.

    Raises:
        RecipeError: the bottleneck has no posterior.
    """

    name = "vamp"
    space = Space.REAL

    def __init__(self, sizes: Sizes, components: Components = 200) -> None:
        super().__init__(sizes)
        self.components = components
        # Dark noise with a different brightness each, so that the pseudo-inputs start distinct.
        brightness = torch.randn(components, *[1] * len(sizes.x)) - 1
        self.logits = nn.Parameter(brightness + torch.randn(components, *sizes.x))

    @property
    def pseudo_inputs(self) -> Tensor:
        """The examples uₖ, [K, *X] in [0, 1]."""
        return self.logits.sigmoid()

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """Event [*Z], no batch."""
        # They are no rows of a batch that processes divide.
        with sharded(None):
            posteriors = encode(self.pseudo_inputs).q
        if posteriors is None:
            raise RecipeError(
                'Prior "vamp" is a mixture of posteriors q(z|x), and this bottleneck has none',
                'Use bottleneck "gaussian".',
            )
        return MixtureDistribution(self.logits.new_zeros(self.components), posteriors)

"""Mixture distributions with responsibilities."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
)


class MixtureDistribution(MixtureSameFamily):
    """`torch.distributions.MixtureSameFamily`, p(z) = Σₖ πₖ pₖ(z), with responsibilities p(k|z)."""

    def __init__(self, log_weights: Tensor, components: Distribution) -> None:
        """Unnormalised ln π [*batch, K], and components with batch [*batch, K]."""
        weights = Categorical(logits=log_weights, validate_args=False)
        super().__init__(weights, components, validate_args=False)

    def expand(
        self, batch_shape: Any, _instance: Distribution | None = None
    ) -> MixtureDistribution:
        """The same distribution for a larger batch."""
        shape = Size((*Size(batch_shape), self.log_weights.shape[-1]))
        return MixtureDistribution(
            self.log_weights.expand(shape), self.component_distribution.expand(shape)
        )

    @property
    def log_weights(self) -> Tensor:
        """Ln π, [*batch, K]."""
        return self.mixture_distribution.logits.log_softmax(-1)

    def log_joint(self, z: Tensor) -> Tensor:
        """ln p(z, k) = ln πₖ + ln pₖ(z) in nats, [..., K] for values [..., *event]."""
        nats = _by_products(self.component_distribution, z)
        if nats is None:
            nats = self.component_distribution.log_prob(z.unsqueeze(-1 - len(self.event_shape)))
        return self.log_weights + nats

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]."""
        return self.log_joint(value).logsumexp(-1)

    def responsibilities(self, z: Tensor) -> Tensor:
        """Ln p(k|z) in nats, [..., K] for values [..., *event]."""
        return self.log_joint(z).log_softmax(-1)


def _by_products(components: Distribution, z: Tensor) -> Tensor | None:
    """ln pₖ(z) of diagonal normals in nats, [..., K] for values [..., *event].

    Σ (z − μₖ)²/σₖ² = Σ z²/σₖ² − 2 Σ z μₖ/σₖ² + Σ μₖ²/σₖ² takes two matrix products, while the
    differences would need a tensor K times as large as z. The terms almost cancel, so they are
    computed in float64, relative to the mean of the means.

    None if the components are not normal, depend on the context, or float64 is not available.
    """
    if not isinstance(components, Independent) or not isinstance(components.base_dist, Normal):
        return None
    if len(components.batch_shape) != 1 or z.device.type == "mps":
        return None
    event = tuple(components.event_shape)
    if tuple(z.shape[z.dim() - len(event) :]) != event:
        return None  # the general implementation raises the error
    loc, scale = (t.flatten(1).double() for t in (components.mean, components.stddev))
    with torch.autocast(z.device.type, enabled=False):
        centre = loc.mean(0)
        values = z.reshape(*z.shape[: z.dim() - len(event)], -1).double() - centre
        offset, precision = loc - centre, scale.square().reciprocal()
        squares = (
            values.square() @ precision.T
            - 2 * (values @ (offset * precision).T)
            + (offset.square() * precision).sum(1)
        )
        constant = scale.log().sum(1) + 0.5 * values.shape[-1] * math.log(2 * math.pi)
        return (-0.5 * squares - constant).to(components.mean.dtype)

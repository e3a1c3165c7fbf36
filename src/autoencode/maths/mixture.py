"""Mixtures that say which component a code came from."""

from __future__ import annotations

from typing import Any

from torch import Size, Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily


class Mixture(MixtureSameFamily):
    """p(z) = Σₖ πₖ pₖ(z), `torch.distributions.MixtureSameFamily` with its posterior over k."""

    def __init__(self, log_weights: Tensor, components: Distribution) -> None:
        """Unnormalised ln π [*batch, K], and components with batch [*batch, K]."""
        weights = Categorical(logits=log_weights, validate_args=False)
        super().__init__(weights, components, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> Mixture:
        """The same distribution for a larger batch."""
        shape = Size((*Size(batch_shape), self.log_weights.shape[-1]))
        return Mixture(self.log_weights.expand(shape), self.component_distribution.expand(shape))

    @property
    def log_weights(self) -> Tensor:
        """Ln π, [*batch, K]."""
        return self.mixture_distribution.logits.log_softmax(-1)

    def log_joint(self, z: Tensor) -> Tensor:
        """Ln p(z, k) = ln πₖ + ln pₖ(z) in nats, [..., K] for values [..., *event]."""
        apart = z.unsqueeze(-1 - len(self.event_shape))
        return self.log_weights + self.component_distribution.log_prob(apart)

    def responsibilities(self, z: Tensor) -> Tensor:
        """Ln p(k|z) in nats, [..., K] for values [..., *event]."""
        return self.log_joint(z).log_softmax(-1)

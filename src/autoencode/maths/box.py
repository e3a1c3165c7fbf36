"""The uniform distribution on a box."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution


class BoxUniform(Distribution):
    """Uniform distribution on the box (−1, 1)ᵈ of any event shape; the density is 2⁻ᵈ.

    The boundary is included, because values inside may round to it. `torch.distributions.Uniform`
    has density 0 at its upper bound.
    """

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, shape: tuple[int, ...], like: Tensor) -> None:
        """Event `shape`, no batch; on the device and in the precision of `like`."""
        self.like = like
        super().__init__(Size(), Size(shape), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> BoxUniform:
        """The same distribution for a batch."""
        wider = BoxUniform(self.event_shape, self.like)
        wider._batch_shape = Size(batch_shape)
        return wider

    @property
    def mean(self) -> Tensor:
        """0, [*batch, *event]."""
        return self.like.new_zeros(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        """1/3, [*batch, *event]."""
        return torch.full_like(self.mean, 1 / 3)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, *event]."""
        shape = self._extended_shape(Size(sample_shape))
        return 2 * torch.rand(shape, dtype=self.like.dtype, device=self.like.device) - 1

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, −d ln 2 inside and −∞ outside, [...] for values [..., *event]."""
        event = value.dim() - len(self.event_shape)
        largest = value.abs().flatten(event).amax(-1)
        inside = torch.full_like(largest, -self.event_shape.numel() * math.log(2))
        return torch.where(largest <= 1, inside, -math.inf)

    def entropy(self) -> Tensor:
        """Nats, d ln 2, [*batch]."""
        nats = self.event_shape.numel() * math.log(2)
        return self.like.new_full(self.batch_shape, nats)

"""Distributions that are transformed by an invertible map."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution
from torch.nn import functional


class Bijection(ABC):
    """An invertible map f of ℝᵈ to ℝᵈ or to a subset."""

    @abstractmethod
    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """Maps e [..., d] to f(e) [..., d] and ln |det ∂f/∂e| [...]."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """Maps z [..., d] to the e [..., d] with f(e) = z."""


class Tanh(Bijection):
    """Elementwise z = tanh e, from ℝᵈ to the box (−1, 1)ᵈ."""

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """ln |det| = Σ ln(1 − tanh² e), in a form that is exact even if tanh e rounds to ±1."""
        slope = 2 * (math.log(2) - e - functional.softplus(-2 * e))
        return e.tanh(), slope.sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """artanh z; values that round to ±1 are replaced by the nearest value inside the box."""
        inside = 1 - torch.finfo(z.dtype).eps
        return z.clamp(-inside, inside).atanh()


class Composed(Bijection):
    """Composition of maps: z = f_K(… f₁(e))."""

    def __init__(self, steps: Sequence[Bijection]) -> None:
        self.steps = steps

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """Applies all maps; ln |det| is the sum over them."""
        total = e.new_zeros(e.shape[:-1])
        for step in self.steps:
            e, ladj = step.forward(e)
            total = total + ladj
        return e, total

    def inverse(self, z: Tensor) -> Tensor:
        """Applies the inverses in reverse order."""
        for step in reversed(self.steps):
            z = step.inverse(z)
        return z


class Pushforward(Distribution):
    """The distribution of f(e) for e distributed as `base`, event [d].

    ln p(f(e)) = ln base(e) − ln |det ∂f/∂e|. `rsample` caches e, so that `log_prob` of the tensor
    that it returned needs no inverse of f.
    """

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, base: Distribution, bijection: Bijection) -> None:
        """`base` has event [d]; the result has the same batch shape."""
        self.base, self.bijection = base, bijection
        # Cache of the last sample: z, e and ln |det|.
        self._cache: tuple[Tensor, Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> Pushforward:
        """The same distribution for a larger batch."""
        return Pushforward(self.base.expand(Size(batch_shape)), self.bijection)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, d], differentiable in base and map."""
        e = self.base.rsample(Size(sample_shape))
        z, ladj = self.bijection.forward(e)
        self._cache = z, e, ladj
        return z

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples without gradients."""
        with torch.no_grad():
            z = self.rsample(sample_shape)
        # The cached values have no gradients, which `log_prob` may need.
        self._cache = None
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [...] for values [..., d]."""
        if self._cache is not None and value is self._cache[0]:
            _, e, ladj = self._cache
        else:
            e = self.bijection.inverse(value)
            _, ladj = self.bijection.forward(e)
        return self.base.log_prob(e) - ladj

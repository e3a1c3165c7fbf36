"""Distributions made from a simple one by an invertible map, which remember their last draw."""

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
    """An invertible map f of vectors, ℝᵈ to ℝᵈ or into a part of it."""

    @abstractmethod
    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """e [..., d] to f(e) [..., d] and ln |det ∂f/∂e| [...]."""

    @abstractmethod
    def inverse(self, z: Tensor) -> Tensor:
        """z [..., d] to the e [..., d] with f(e) = z."""


class Tanh(Bijection):
    """z = tanh e, number by number: ℝᵈ into the box (−1, 1)ᵈ."""

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """ln |det| = Σ ln(1 − tanh² e), written so that it is exact where tanh e rounds to ±1."""
        slope = 2 * (math.log(2) - e - functional.softplus(-2 * e))
        return e.tanh(), slope.sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Artanh; a z on the walls, where draws may round to, counts as the last number inside."""
        inside = 1 - torch.finfo(z.dtype).eps
        return z.clamp(-inside, inside).atanh()


class Composed(Bijection):
    """One map after another: z = f_K(… f₁(e))."""

    def __init__(self, steps: Sequence[Bijection]) -> None:
        self.steps = steps

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """ln |det| is the sum over the steps."""
        total = e.new_zeros(e.shape[:-1])
        for step in self.steps:
            e, ladj = step.forward(e)
            total = total + ladj
        return e, total

    def inverse(self, z: Tensor) -> Tensor:
        """The steps undone, the last one first."""
        for step in reversed(self.steps):
            z = step.inverse(z)
        return z


class Pushforward(Distribution):
    """The distribution of f(e) for e drawn from `base`, event [d].

    ln p(f(e)) = ln base(e) − ln |det ∂f/∂e|. `rsample` remembers the e that it drew, so that
    `log_prob` of that very tensor needs no inverse; of any other it inverts f.
    """

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, base: Distribution, bijection: Bijection) -> None:
        """A base with event [d]; its batch is the batch."""
        self.base, self.bijection = base, bijection
        # The last draw: z, e, and ln |det| between them.
        self._drawn: tuple[Tensor, Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> Pushforward:
        """The same distribution for a larger batch."""
        return Pushforward(self.base.expand(Size(batch_shape)), self.bijection)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws [*sample_shape, *batch, d], differentiable in base and map."""
        e = self.base.rsample(Size(sample_shape))
        z, ladj = self.bijection.forward(e)
        self._drawn = z, e, ladj
        return z

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws without gradient."""
        with torch.no_grad():
            z = self.rsample(sample_shape)
        # Their density, asked for later, may have a gradient: it is found anew.
        self._drawn = None
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [...] for values [..., d]."""
        if self._drawn is not None and value is self._drawn[0]:
            _, e, ladj = self._drawn
        else:
            e = self.bijection.inverse(value)
            _, ladj = self.bijection.forward(e)
        return self.base.log_prob(e) - ladj

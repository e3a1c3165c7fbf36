"""Distributions on the unit sphere in ℝᵈ."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Beta, Distribution, constraints, register_kl
from torch.nn import functional

from autoencode.maths.sharding import batch_noise, own_rows, whole_batch


def log_sphere_area(d: int) -> float:
    """Ln of the area of the unit sphere in ℝᵈ: ln 2 + ½d ln π − ln Γ(½d)."""
    return math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)


class SphereUniform(Distribution):
    """Uniform distribution on the unit sphere in ℝᵈ; the density is per unit of area."""

    arg_constraints = {}  # noqa: RUF012
    has_rsample = True

    def __init__(self, d: int, like: Tensor) -> None:
        """Event [d], no batch; on the device and in the precision of `like`."""
        self.like = like
        super().__init__(Size(), Size((d,)), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> SphereUniform:
        """The same distribution for a batch."""
        wider = SphereUniform(self.event_shape[0], self.like)
        wider._batch_shape = Size(batch_shape)
        return wider

    @property
    def mean(self) -> Tensor:
        """0, [*batch, d]."""
        return self.like.new_zeros(self._extended_shape())

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, d] of length 1."""
        return _directions(self._extended_shape(Size(sample_shape)), self.like)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, minus ln of the area, [...] for values [..., d] on the sphere."""
        return value.new_full(value.shape[:-1], -log_sphere_area(self.event_shape[0]))

    def entropy(self) -> Tensor:
        """Nats, ln of the area, [*batch]."""
        return self.like.new_full(self.batch_shape, log_sphere_area(self.event_shape[0]))


class PowerSpherical(Distribution):
    """Power spherical distribution, p(z) ∝ (1 + μᵀz)^κ on the unit sphere in ℝᵈ, d ≥ 2.

    μ is the mode and κ ≥ 0 the concentration; κ = 0 is uniform. It resembles the von Mises-Fisher
    distribution, and sampling needs no rejection. The density is per unit of area; in float32 its
    error is below 0.01 nats up to κ = 10⁴.  Source: [decao2020].
    """

    arg_constraints = {  # noqa: RUF012
        "direction": constraints.real_vector,
        "concentration": constraints.nonnegative,
    }
    has_rsample = True

    def __init__(self, direction: Tensor, concentration: Tensor) -> None:
        """μ [*batch, d] of length 1 and κ [*batch]."""
        self.direction, self.concentration = direction, concentration
        # (1 + μᵀz) / 2 follows Beta(a, b).
        self.b = torch.full_like(concentration, 0.5 * (direction.shape[-1] - 1))
        self.a = self.b + concentration
        super().__init__(direction.shape[:-1], direction.shape[-1:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Distribution | None = None) -> PowerSpherical:
        """The same distribution for a larger batch."""
        batch = Size(batch_shape)
        return PowerSpherical(
            self.direction.expand(*batch, *self.event_shape), self.concentration.expand(batch)
        )

    @property
    def mode(self) -> Tensor:
        """μ, [*batch, d]."""
        return self.direction

    @property
    def mean(self) -> Tensor:
        """μ κ / (κ + d − 1), which lies inside the sphere, [*batch, d]."""
        return ((self.a - self.b) / (self.a + self.b)).unsqueeze(-1) * self.direction

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, d] of length 1, differentiable in μ and κ."""
        d, rows = self.event_shape[0], len(sample_shape)
        # For large κ, s = (1 − μᵀz) / 2 is small; sampling it directly keeps its precision. How
        # many random numbers it takes depends on κ of all examples of the batch.
        beta = Beta(whole_batch(self.b), whole_batch(self.a), validate_args=False)
        s = own_rows(beta.rsample(Size(sample_shape)), rows).unsqueeze(-1)
        across = 2 * (s * (1 - s)).clamp_min(torch.finfo(s.dtype).tiny).sqrt()
        around = _directions(Size((*s.shape[:-1], d - 1)), s, rows)
        # The sample around the first axis is reflected so that this axis becomes μ.
        z = torch.cat([1 - 2 * s, across * around], -1)
        axis = torch.eye(1, d, dtype=s.dtype, device=s.device)[0]
        normal = functional.normalize(axis - self.direction, dim=-1)
        return z - 2 * (z * normal).sum(-1, keepdim=True) * normal

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [...] for values [..., d] on the sphere."""
        # (1 − μᵀz) / 2, computed precisely for z near μ; at 1, opposite μ, the density is 0.
        s = 0.25 * (value - self.direction).square().sum(-1)
        s = s.clamp_max(1 - torch.finfo(s.dtype).eps)
        return self.concentration * torch.log1p(-s) - self._log_normaliser()

    def entropy(self) -> Tensor:
        """Nats, [*batch]."""
        mean_log = torch.digamma(self.a) - torch.digamma(self.a + self.b)
        return self._log_normaliser() - self.concentration * mean_log

    def _log_normaliser(self) -> Tensor:
        """Ln of the integral of (½ + ½ μᵀz)^κ over the sphere."""
        a, b = self.a, self.b
        return b * math.log(4 * math.pi) + torch.lgamma(a) - torch.lgamma(a + b)


def _directions(shape: Size, like: Tensor, rows: int = 0) -> Tensor:
    """Uniform random directions along the last dimension; `rows` is the dimension of examples."""
    draw = partial(torch.randn, dtype=like.dtype, device=like.device)
    return functional.normalize(batch_noise(draw, shape, rows), dim=-1)


@register_kl(PowerSpherical, SphereUniform)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_power_spherical_uniform(q: PowerSpherical, p: SphereUniform) -> Tensor:
    """Nats, [*batch]: ln of the area − H(q)."""
    return log_sphere_area(p.event_shape[0]) - q.entropy()

"""Bottlenecks without and with a normal posterior, and helpers that all bottlenecks share."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from autoencode.contract import Bottleneck, Code, Space
from autoencode.maths import NormalOfExamples

# Outside this range of ln σ² the variance, and with it the KL, would overflow or underflow.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


def deterministic_code(z: Tensor, samples: int | None) -> Code:
    """The code z [B, *Z] without a posterior; `samples` repeats it, [S, B, *Z]."""
    return Code(z if samples is None else z.expand(samples, *z.shape))


def stochastic_code(q: Distribution, center: Tensor, samples: int | None) -> Code:
    """The code `center` [B, *Z], or reparametrised samples of q, [S, B, *Z]."""
    return Code(center if samples is None else q.rsample(torch.Size((samples,))), q)


def diagonal_normal(
    mean: Tensor,
    log_variance: Tensor,
    event_dims: int = 1,
    limits: tuple[float, float] = LOG_VARIANCE_RANGE,
) -> Independent[Normal]:
    """N(μ, diag σ²) from μ and ln σ², which is clamped to `limits`."""
    scale = (0.5 * log_variance.clamp(*limits)).exp()
    return Independent(NormalOfExamples(mean, scale, validate_args=False), event_dims)


class Point(Bottleneck):
    """Deterministic code: z = h.  Source: [rumelhart1986]."""

    name = "point"
    space = Space.REAL
    affine = True

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; `samples` repeats it, [S, B, *Z]."""
        (h,) = self.split_features(h)
        return deterministic_code(h, samples)


class Rectified(Point):
    """Deterministic code without negative values: z = max(h, 0)."""

    name = "rectified"
    affine = False

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """As `Point`, with z ≥ 0."""
        return super().forward(torch.relu(h), samples)


class Gaussian(Bottleneck):
    """Normal posterior with diagonal covariance: q(z|x) = N(μ(x), diag σ²(x)), h = (μ, ln σ²).

    ln σ² is clamped to [−30, 20], so that the KL stays finite.  Source: [kingma2014], eq. 9.
    """

    name = "gaussian"
    space = Space.REAL
    random = True
    normal = True
    affine = True
    features = 2

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is μ [B, *Z], or with `samples` reparametrised samples [S, B, *Z]."""
        mean, log_variance = self.split_features(h)
        return stochastic_code(
            diagonal_normal(mean, log_variance, len(self.sizes.z)), mean, samples
        )

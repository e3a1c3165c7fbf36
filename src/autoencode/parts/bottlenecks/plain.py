"""A point, a rectified point, and a normal posterior."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from autoencode.contract import Bottleneck, Code, Space

# Beyond these the posterior's variance would under- or overflow and the KL with it.
LOG_VARIANCE = (-30.0, 20.0)


class Point(Bottleneck):
    """The code is the feature vector itself: z = h.  Source: [rumelhart1986]."""

    space = Space.REAL

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; a point has no noise, so `samples` repeats it, [S, B, *Z]."""
        (h,) = self.split_features(h)
        return Code(h if samples is None else h.expand(samples, *h.shape))


class Rectified(Point):
    """A point whose negative parts are cut off: z = max(h, 0).

    A unit that is negative for every image stays silent for good, so the features start from a
    positive offset.
    """

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """As `Point`, with z ≥ 0."""
        return super().forward(torch.relu(h), samples)


class Gaussian(Bottleneck):
    """A diagonal normal posterior: q(z|x) = N(μ(x), diag σ²(x)), with h = (μ, ln σ²).

    ln σ² is kept within [−30, 20], so that the KL stays finite.  Source: [kingma2014], eq. 9.
    """

    space = Space.REAL
    random = True
    normal = True
    features = 2

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is μ [B, *Z], or with `samples` reparametrised draws [S, B, *Z]."""
        mean, log_variance = self.split_features(h)
        scale = (0.5 * log_variance.clamp(*LOG_VARIANCE)).exp()
        q = Independent(Normal(mean, scale, validate_args=False), len(self.sizes.z))
        return Code(mean if samples is None else q.rsample(torch.Size((samples,))), q)

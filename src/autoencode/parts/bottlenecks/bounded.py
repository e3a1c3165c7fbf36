"""Codes inside the box (−1, 1)ᵈ."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from autoencode.contract import Bottleneck, Code, Space
from autoencode.maths import Pushforward, Tanh

# Wider normals put nearly all their mass where tanh rounds to ±1.
LOG_VARIANCE = (-30.0, 10.0)


class Squashed(Bottleneck):
    """A point in the box: z = tanh h.

    For a uniform prior that is matched by draws (mmd, sliced-wasserstein, match-prior).
    """

    space = Space.BOX

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; a point has no noise, so `samples` repeats it, [S, B, *Z]."""
        (h,) = self.split_features(h)
        z = h.tanh()
        return Code(z if samples is None else z.expand(samples, *z.shape))


class Bounded(Bottleneck):
    """The tanh of a normal: z = tanh e, q(e|x) = N(μ(x), diag σ²(x)), with h = (μ, ln σ²).

    ln q(z|x) = Σ ln N(e; μ, σ²) − ln(1 − z²), so that its KL to a uniform prior is finite, which
    that of a normal is not. The density of a draw is computed from e, and stays exact where z
    rounds to the walls. The code without samples is tanh μ, the median of each number. ln σ² is
    kept within [−30, 10].
    """

    space = Space.BOX
    random = True
    maps = False
    features = 2

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is tanh μ [B, d], or with `samples` reparametrised draws [S, B, d]."""
        mean, log_variance = h.chunk(2, -1)
        scale = (0.5 * log_variance.clamp(*LOG_VARIANCE)).exp()
        q = Pushforward(Independent(Normal(mean, scale, validate_args=False), 1), Tanh())
        return Code(mean.tanh() if samples is None else q.rsample(torch.Size((samples,))), q)

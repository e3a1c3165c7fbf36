"""Bottlenecks whose codes lie in the box (−1, 1)ᵈ."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from autoencode.contract import Bottleneck, Code, Space
from autoencode.maths import Pushforward, Tanh
from autoencode.parts.bottlenecks.plain import deterministic_code, diagonal_normal, stochastic_code

# A wider normal has almost all its mass where tanh rounds to ±1.
LOG_VARIANCE_RANGE = (-30.0, 10.0)


class Squashed(Bottleneck):
    """Deterministic code in the box: z = tanh h.

    Use it with prior "uniform" and a term that compares samples: "mmd", "sliced-wasserstein" or
    "match-prior".
    """

    name = "squashed"
    space = Space.BOX

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; `samples` repeats it, [S, B, *Z]."""
        (h,) = self.split_features(h)
        return deterministic_code(h.tanh(), samples)


class Bounded(Bottleneck):
    """Posterior of z = tanh e with e normal: q(e|x) = N(μ(x), diag σ²(x)), h = (μ, ln σ²).

    ln q(z|x) = Σ ln N(e; μ, σ²) − ln(1 − z²), so the KL to a uniform prior is finite. The density
    of a sample is computed from e and is exact even where z rounds to ±1. The code without
    samples is tanh μ, the median of each dimension. ln σ² is clamped to [−30, 10].
    """

    name = "bounded"
    space = Space.BOX
    random = True
    maps = False
    features = 2

    def forward(self, h: Float[Tensor, "batch two_d"], samples: int | None = None) -> Code:
        """z is tanh μ [B, d], or with `samples` reparametrised samples [S, B, d]."""
        mean, log_variance = h.chunk(2, -1)
        base = diagonal_normal(mean, log_variance, limits=LOG_VARIANCE_RANGE)
        return stochastic_code(Pushforward(base, Tanh()), mean.tanh(), samples)

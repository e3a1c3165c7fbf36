"""Penalties on the size or the activity of codes."""

from __future__ import annotations

import math
from typing import Annotated

from torch import Tensor
from torch.nn import functional

from autoencode.contract import ForwardPass, Sizes, Term, Within
from autoencode.maths.sharding import whole_batch


class L1(Term):
    """L1 penalty ‖z‖₁ = Σⱼ |zⱼ|, [*S, B].

    With bottleneck "rectified" dimensions may become exactly 0. Smaller codes with larger weights
    in the decoder reduce the penalty without any other change of the model, so use it with weight
    decay.  Source: [olshausen1996].
    """

    name = "l1"
    formula = "‖z‖₁"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        return p.code.z.abs().sum(_event(self.sizes))


class L2(Term):
    """L2 penalty ½ ‖z‖², [*S, B], which penalises codes that are far from the origin.

    Source: [ghosh2020].
    """

    name = "l2"
    formula = "½‖z‖²"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns values per example, [*S, B]."""
        return 0.5 * p.code.z.square().sum(_event(self.sizes))


class KLSparsity(Term):
    """KL sparsity penalty Σⱼ KL(Bernoulli(target) ‖ Bernoulli(aⱼ)), nats, [].

    aⱼ is the mean activation of unit j over the batch, where the activation is the logistic
    function of the latent dimension: aⱼ = mean of 1 / (1 + e^−zⱼ).

    target: desired mean activation ρ.   Source: [ng2011].
    """

    name = "kl-sparsity"
    formula = "Σⱼ KL(ρ ‖ mean σ(zⱼ))"

    def __init__(self, sizes: Sizes, target: Annotated[float, Within(1e-4, 0.9999)] = 0.05) -> None:
        super().__init__(sizes)
        self.target = target

    def forward(self, p: ForwardPass) -> Tensor:
        """Returns one value for the batch, []."""
        z = whole_batch(p.code.z, -1 - len(self.sizes.z)).reshape(-1, self.sizes.latent)
        rho = self.target
        # ln a and ln(1 − a) are computed in the log domain: finite, with a gradient, for any z.
        log_count = math.log(len(z))
        log_active = functional.logsigmoid(z).logsumexp(0) - log_count
        log_inactive = functional.logsigmoid(-z).logsumexp(0) - log_count
        kl = rho * (math.log(rho) - log_active) + (1 - rho) * (math.log1p(-rho) - log_inactive)
        return kl.sum()


def _event(sizes: Sizes) -> tuple[int, ...]:
    return tuple(range(-len(sizes.z), 0))

"""What makes codes small or mostly silent."""

from __future__ import annotations

import math
from typing import Annotated

from torch import Tensor
from torch.nn import functional

from autoencode.contract import ForwardPass, Sizes, Term, Within


class L1(Term):
    """‖z‖₁ = Σⱼ |zⱼ|, [*S, B]: a Laplace prior's −ln p(z), up to scale and constant.

    With bottleneck "rectified" it drives numbers to exactly 0. Smaller codes and a larger decoder
    would cost nothing else, so it wants weight decay beside it.  Source: [olshausen1996].
    """

    formula = "‖z‖₁"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        return p.code.z.abs().sum(_event(self.sizes))


class L2(Term):
    """½ ‖z‖², [*S, B]: a standard normal prior's −ln p(z), up to a constant.

    Keeps codes near the origin, where a distribution is easily fitted to them.
    Source: [ghosh2020].
    """

    formula = "½‖z‖²"
    unit = ""

    def forward(self, p: ForwardPass) -> Tensor:
        """[*S, B]."""
        return 0.5 * p.code.z.square().sum(_event(self.sizes))


class KLSparsity(Term):
    """Σⱼ KL(Bernoulli(target) ‖ Bernoulli(aⱼ)), [], where aⱼ is how active unit j is on average.

    An activity is the logistic function of a number of the code, aⱼ = mean over [*S, B] of
    1 / (1 + e^−zⱼ): a unit is silent where zⱼ is far below 0. The nats are those of one example,
    summed over the units of its code; the mean makes it a statistic of the batch.

    target: the share of examples that should excite a unit.   Source: [ng2011].
    """

    formula = "Σⱼ KL(ρ ‖ mean σ(zⱼ))"

    def __init__(self, sizes: Sizes, target: Annotated[float, Within(1e-4, 0.9999)] = 0.05) -> None:
        super().__init__(sizes)
        self.target = target

    def forward(self, p: ForwardPass) -> Tensor:
        """[]."""
        z, rho = p.code.z.reshape(-1, self.sizes.latent), self.target
        # ln a and ln(1 − a) through logarithms all the way: finite, with a gradient, for any z.
        log_count = math.log(len(z))
        log_active = functional.logsigmoid(z).logsumexp(0) - log_count
        log_silent = functional.logsigmoid(-z).logsumexp(0) - log_count
        each = rho * (math.log(rho) - log_active) + (1 - rho) * (math.log1p(-rho) - log_silent)
        return each.sum()


def _event(sizes: Sizes) -> tuple[int, ...]:
    return tuple(range(-len(sizes.z), 0))

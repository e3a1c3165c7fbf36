"""A posterior transformed by planar flows."""

from __future__ import annotations

from typing import Annotated

from jaxtyping import Float
from torch import Tensor

from autoencode.contract import Bottleneck, Code, Sizes, Space, Within
from autoencode.maths import Composed, Planar, Pushforward
from autoencode.parts.bottlenecks.plain import diagonal_normal, stochastic_code

Steps = Annotated[int, Within(1, 1_000)]


class PlanarFlow(Bottleneck):
    """Normal posterior transformed by planar flows: z = f_K(… f₁(e)), e ~ N(μ(x), diag σ²(x)).

    fₖ(e) = e + ûₖ tanh(wₖᵀ(e − aₖ)). The encoder predicts the parameters of all flows for each
    example: h = (μ, ln σ², u₁, w₁, a₁, …). The code without samples is f_K(… f₁(μ)), which is
    close to the posterior mean but not equal to it.  Source: [rezende2015].

    steps: number K of flows.
    """

    name = "planar"
    space = Space.REAL
    random = True
    maps = False

    def __init__(self, sizes: Sizes, steps: Steps = 10) -> None:
        super().__init__(sizes)
        self.steps = steps
        self.features = 2 + 3 * steps

    def forward(self, h: Float[Tensor, "batch features_d"], samples: int | None = None) -> Code:
        """z is f(μ) [B, d], or with `samples` reparametrised samples [S, B, d]."""
        mean, log_variance, *planes = h.chunk(self.features, -1)
        flow = Composed(
            [
                Planar(u, w, -(w * a).sum(-1))
                for u, w, a in zip(planes[::3], planes[1::3], planes[2::3], strict=True)
            ]
        )
        q = Pushforward(diagonal_normal(mean, log_variance), flow)
        # The flow is evaluated at the mean only if the result is used.
        return stochastic_code(q, flow.forward(mean)[0] if samples is None else mean, samples)

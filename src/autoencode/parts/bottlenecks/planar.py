"""A posterior bent by planar flows."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from autoencode.contract import Bottleneck, Code, Sizes, Space, Within
from autoencode.maths import Composed, Planar, Pushforward
from autoencode.parts.bottlenecks.plain import LOG_VARIANCE

Steps = Annotated[int, Within(1, 1_000)]


class PlanarFlow(Bottleneck):
    """A normal, bent across `steps` planes: z = f_K(… f₁(e)), q(e|x) = N(μ(x), diag σ²(x)).

    fₖ(e) = e + ûₖ tanh(wₖᵀ(e − aₖ)), and the encoder gives every example planes of its own:
    h = (μ, ln σ², u₁, w₁, a₁, …). The code without samples is f_K(… f₁(μ)), near the mean of q and
    not the same.  Source: [rezende2015].
    """

    space = Space.REAL
    random = True
    maps = False

    def __init__(self, sizes: Sizes, steps: Steps = 10) -> None:
        super().__init__(sizes)
        self.steps = steps
        self.features = 2 + 3 * steps

    def forward(self, h: Float[Tensor, "batch features_d"], samples: int | None = None) -> Code:
        """z is f(μ) [B, d], or with `samples` reparametrised draws [S, B, d]."""
        mean, log_variance, *planes = h.chunk(self.features, -1)
        scale = (0.5 * log_variance.clamp(*LOG_VARIANCE)).exp()
        base = Independent(Normal(mean, scale, validate_args=False), 1)
        flow = Composed(
            [
                Planar(u, w, -(w * a).sum(-1))
                for u, w, a in zip(planes[::3], planes[1::3], planes[2::3], strict=True)
            ]
        )
        q = Pushforward(base, flow)
        return Code(
            flow.forward(mean)[0] if samples is None else q.rsample(torch.Size((samples,))), q
        )

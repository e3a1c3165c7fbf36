"""A posterior transformed by inverse autoregressive flows."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width, Within
from autoencode.maths import Bijection, Composed, Float32Linear, Pushforward, widen
from autoencode.parts.bottlenecks.plain import diagonal_normal, stochastic_code

Steps = Annotated[int, Within(1, 1_000)]
# With this offset the gates are almost 1 at the start, so that each step changes little.
GATE_OFFSET = 1.5


class InverseAutoregressive(Bottleneck):
    """Normal posterior transformed by inverse autoregressive flows with one hidden layer each.

    e ~ N(μ(x), diag σ²(x)), then in each step zᵢ ← gᵢ zᵢ + (1 − gᵢ) mᵢ. The gate gᵢ in (0, 1) and
    mᵢ are functions of z₁ … zᵢ₋₁ and of further encoder features t: h = (μ, ln σ², t). Each step
    reverses the order of the dimensions. The code without samples is the flow's image of μ, which
    is close to the posterior mean but not equal to it. Sampling and the density of a sample take
    one pass; the density of any other code takes one pass per dimension.
    Source: [kingma2016].

    steps: number of flow steps.   hidden: width of the hidden layer of each step.
    """

    name = "inverse-autoregressive"
    space = Space.REAL
    random = True
    maps = False
    features = 3

    def __init__(self, sizes: Sizes, steps: Steps = 4, hidden: Width = 256) -> None:
        super().__init__(sizes)
        self.steps, self.hidden = steps, hidden
        self.networks = nn.ModuleList(
            MaskedNetwork(sizes.latent, hidden, backwards=step % 2 == 1) for step in range(steps)
        )

    def forward(self, h: Float[Tensor, "batch three_d"], samples: int | None = None) -> Code:
        """z is f(μ) [B, d], or with `samples` reparametrised samples [S, B, d]."""
        mean, log_variance, features = h.chunk(3, -1)
        flow = Composed([_Step(network, features) for network in self.networks])
        q = Pushforward(diagonal_normal(mean, log_variance), flow)
        # The flow is evaluated at the mean only if the result is used.
        return stochastic_code(q, flow.forward(mean)[0] if samples is None else mean, samples)


class MaskedNetwork(nn.Module):
    """A masked network (z, t) -> (m, s), in which mᵢ and sᵢ depend on z₁ … zᵢ₋₁ and all of t.

    It has one hidden layer and computes in float32. A hidden unit of degree k depends on the first
    k dimensions of z.
    """

    def __init__(self, d: int, hidden: int, backwards: bool) -> None:
        super().__init__()
        self.features = Float32Linear(d, hidden)
        self.first, self.last = nn.Linear(d, hidden, bias=False), nn.Linear(hidden, 2 * d)
        position = torch.arange(d)
        position = position.flip(0) if backwards else position
        degree = torch.arange(hidden) * d // hidden
        # The masks are constants, so they are not saved.
        first_mask = (position < degree[:, None]).float()
        last_mask = (degree <= position[:, None]).float()
        self.register_buffer("first_mask", first_mask, persistent=False)
        self.register_buffer("last_mask", torch.cat([last_mask, last_mask]), persistent=False)

    def forward(self, z: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """z [*S, B, d] and t [B, d] to m and s, both [*S, B, d]."""
        with torch.autocast(z.device.type, enabled=False):
            first = functional.linear(widen(z), self.first.weight * self.get_buffer("first_mask"))
            hidden = functional.elu(first + self.features(features))
            weight = self.last.weight * self.get_buffer("last_mask")
            m, s = functional.linear(hidden, weight, self.last.bias).chunk(2, -1)
        return m, s


class _Step(Bijection):
    """One step of the flow, for a batch with encoder features t [B, d]."""

    def __init__(self, network: nn.Module, features: Tensor) -> None:
        self.network, self.features = network, features

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """z = g e + (1 − g) m, ln |det| = Σ ln g."""
        m, s = self.network(e, self.features)
        log_gate = functional.logsigmoid(s + GATE_OFFSET)
        gate = log_gate.exp()
        return gate * e + (1 - gate) * m, log_gate.sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Inverts one dimension per pass; pass i yields eᵢ, because e₁ … eᵢ₋₁ are correct."""
        e = torch.zeros_like(z)
        for _ in range(z.shape[-1]):
            m, s = self.network(e, self.features)
            gate = (s + GATE_OFFSET).sigmoid()
            e = (z - (1 - gate) * m) / gate
        return e

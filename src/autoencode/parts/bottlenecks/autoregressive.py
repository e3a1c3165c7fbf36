"""A posterior bent by inverse autoregressive flows."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width, Within
from autoencode.maths import Bijection, Composed, Float32Linear, Pushforward, widen
from autoencode.parts.bottlenecks.plain import LOG_VARIANCE

Steps = Annotated[int, Within(1, 1_000)]
# Gates begin nearly open: each step changes little at first.
OPEN = 1.5


class InverseAutoregressive(Bottleneck):
    """A normal, bent by `steps` inverse autoregressive flows with one hidden layer each.

    e ~ N(μ(x), diag σ²(x)), then for each step zᵢ ← gᵢ zᵢ + (1 − gᵢ) mᵢ, where the gate gᵢ in
    (0, 1) and mᵢ are functions of z₁ … zᵢ₋₁ and of what the encoder tells beside, t:
    h = (μ, ln σ², t). Each step goes through the numbers in the other order. The code without
    samples is where the flow takes μ, near the mean of q and not the same. A draw and its density
    take one pass; the density of any other code takes one for each of its numbers.
    Source: [kingma2016].

    hidden: width of the hidden layer of each step.
    """

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
        """z is f(μ) [B, d], or with `samples` reparametrised draws [S, B, d]."""
        mean, log_variance, told = h.chunk(3, -1)
        scale = (0.5 * log_variance.clamp(*LOG_VARIANCE)).exp()
        base = Independent(Normal(mean, scale, validate_args=False), 1)
        flow = Composed([_Step(network, told) for network in self.networks])
        q = Pushforward(base, flow)
        return Code(
            flow.forward(mean)[0] if samples is None else q.rsample(torch.Size((samples,))), q
        )


class MaskedNetwork(nn.Module):
    """(z, t) to (m, s), where mᵢ and sᵢ see all of t, and of z only what comes before zᵢ.

    One hidden layer, in float32. A hidden unit of degree k sees the first k numbers of z.
    """

    def __init__(self, d: int, hidden: int, backwards: bool) -> None:
        super().__init__()
        self.told = Float32Linear(d, hidden)
        self.first, self.last = nn.Linear(d, hidden, bias=False), nn.Linear(hidden, 2 * d)
        place = torch.arange(d)
        place = place.flip(0) if backwards else place
        degree = torch.arange(hidden) * d // hidden
        # Constants, so there is nothing to save.
        self.register_buffer("sees", (place < degree[:, None]).float(), persistent=False)
        seen = (degree <= place[:, None]).float()
        self.register_buffer("seen", torch.cat([seen, seen]), persistent=False)

    def forward(self, z: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """z [*S, B, d] and t [B, d] to m and s, both [*S, B, d]."""
        with torch.autocast(z.device.type, enabled=False):
            first = functional.linear(widen(z), self.first.weight * self.get_buffer("sees"))
            unit = functional.elu(first + self.told(told))
            weight = self.last.weight * self.get_buffer("seen")
            m, s = functional.linear(unit, weight, self.last.bias).chunk(2, -1)
        return m, s


class _Step(Bijection):
    """One step of the flow, for a batch of examples of which the encoder told t [B, d]."""

    def __init__(self, network: nn.Module, told: Tensor) -> None:
        self.network, self.told = network, told

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """z = g e + (1 − g) m, ln |det| = Σ ln g."""
        m, s = self.network(e, self.told)
        log_gate = functional.logsigmoid(s + OPEN)
        gate = log_gate.exp()
        return gate * e + (1 - gate) * m, log_gate.sum(-1)

    def inverse(self, z: Tensor) -> Tensor:
        """Number by number; pass i makes the i-th one right, since those before it are."""
        e = torch.zeros_like(z)
        for _ in range(z.shape[-1]):
            m, s = self.network(e, self.told)
            gate = (s + OPEN).sigmoid()
            e = (z - (1 - gate) * m) / gate
        return e

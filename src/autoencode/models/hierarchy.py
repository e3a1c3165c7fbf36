"""Parts of the ladder VAE: hierarchical normal distributions over several levels of codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, Independent, Normal, constraints, kl_divergence

from autoencode.contract import Bottleneck, Code, Prior, Sizes, Space
from autoencode.maths import Float32Linear
from autoencode.maths.sharding import batch_noise
from autoencode.parts.bottlenecks.plain import LOG_VARIANCE_RANGE
from autoencode.parts.networks.layers import ACTIVATIONS, Activation, Norm, dense, unit_norm


class Moments(NamedTuple):
    """Mean and ln σ² of a diagonal normal distribution, [..., d]."""

    mean: Tensor
    log_variance: Tensor

    def normal(self) -> Independent[Normal]:
        """The distribution, event [d]."""
        scale = (0.5 * self.log_variance).exp()
        return Independent(Normal(self.mean, scale, validate_args=False), 1)

    def sample(self, lead: tuple[int, ...]) -> Tensor:
        """A sample [*lead, d], differentiable in both moments."""
        shape = (*lead, self.mean.shape[-1])
        draw = partial(torch.randn, dtype=self.mean.dtype, device=self.mean.device)
        noise = batch_noise(draw, shape, len(lead) - 1) if lead else draw(shape)
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def times(self, other: Moments) -> Moments:
        """The normal distribution proportional to the product of the two densities."""
        weight = torch.sigmoid(other.log_variance - self.log_variance)
        return Moments(
            weight * self.mean + (1 - weight) * other.mean,
            -torch.logaddexp(-self.log_variance, -other.log_variance),
        )


class LadderLevel(NamedTuple):
    """One level of the hierarchy: its code z, posterior q and prior p, given the level above."""

    z: Tensor
    q: Moments
    p: Moments


class LevelNetwork(Protocol):
    """A top-down network over all levels, see `TopDown`; `levels` are their dimensions."""

    levels: tuple[int, ...]

    def __call__(
        self, bottom_up: Any, lead: tuple[int, ...], choose: Callable[[int, Moments], Tensor]
    ) -> list[LadderLevel]:
        """Computes all levels, in the order of `levels`; `bottom_up` is None for the prior."""
        ...


class MomentsLayer(nn.Module):
    """Linear layer from features to the moments of a normal."""

    def __init__(self, width: int, d: int) -> None:
        super().__init__()
        self.linear = Float32Linear(width, 2 * d)

    def forward(self, h: Tensor) -> Moments:
        """[..., width] to mean and ln σ² [..., d]; ln σ² is clamped to [−30, 20]."""
        mean, log_variance = self.linear(h).chunk(2, -1)
        return Moments(mean, log_variance.clamp(*LOG_VARIANCE_RANGE))


class TopDown(nn.Module):
    """The top-down network of p(z_l|z_{l+1}), which prior and posterior share."""

    def __init__(
        self, levels: Sequence[int], hidden: tuple[int, ...], activation: Activation, norm: Norm
    ) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.steps = nn.ModuleList(
            nn.Sequential(
                dense((above, *hidden), activation, norm=norm, first=Float32Linear),
                MomentsLayer(hidden[-1] if hidden else above, below),
            )
            for below, above in pairwise(levels)
        )
        # Has the device and precision of the model; it is not saved.
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(
        self,
        bottom_up: Sequence[Moments] | None,
        lead: tuple[int, ...],
        choose: Callable[[int, Moments], Tensor],
    ) -> list[LadderLevel]:
        """Computes all levels from the top down; returns them from the lowest to the highest.

        bottom_up: moments of each level, computed from the image, [B, d_l]; None for the prior.
        lead: shape of codes without their last dimension, [*S, B].
        choose: (level, its normal) -> code of that level, [*S, B, d_l].
        """
        top = len(self.levels) - 1
        zeros = self.get_buffer("origin").expand(*lead, self.levels[top])
        p = Moments(zeros, zeros)
        levels: list[LadderLevel] = []
        for level in range(top, -1, -1):
            if levels:
                above = levels[-1].z
                flat = self.steps[level](above.reshape(-1, above.shape[-1]))
                p = Moments(*(each.reshape(*lead, each.shape[-1]) for each in flat))
            q = p
            if bottom_up is not None:
                q = bottom_up[level] if level == top else bottom_up[level].times(p)
            levels.append(LadderLevel(choose(level, q), q, p))
        return levels[::-1]


class LadderNormal(Distribution):
    """Hierarchical normal distribution: each level given the level above, event [d₁ + … + d_L].

    It is the prior, batch [], or with `bottom_up`, what the network knows of an image, the
    posterior, batch [B].
    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self, down: LevelNetwork, bottom_up: Any = None, batch: Size | None = None
    ) -> None:
        """`batch`: shape of the batch of the posterior; None for the prior."""
        self.down, self.bottom_up = down, bottom_up
        super().__init__(batch or Size(), Size((sum(down.levels),)), validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, d], from the top down."""
        return concatenated(self.sample_levels(Size(sample_shape)))

    def sample_levels(self, sample_shape: Size) -> list[LadderLevel]:
        """Samples all levels, with the distribution of each."""
        lead = (*sample_shape, *self.batch_shape)
        return self.down(self.bottom_up, lead, lambda level, m: m.sample(lead))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats of codes [..., *batch, d]: Σ ln q(z_l|z_{l+1}), [..., *batch]."""
        parts = torch.split(value, list(self.down.levels), -1)
        levels = self.down(self.bottom_up, tuple(value.shape[:-1]), lambda level, m: parts[level])
        nats: list[Tensor] = [
            level.q.normal().log_prob(level.z)  # type: ignore[no-untyped-call]  # torch has none
            for level in levels
        ]
        return torch.stack(nats).sum(0)


class LadderBottleneck(Bottleneck):
    """The bottleneck of the ladder VAE: bottom-up and top-down network, and the posterior."""

    space = Space.REAL
    random = True

    def __init__(
        self,
        sizes: Sizes,
        levels: tuple[int, ...],
        widths: tuple[int, ...],
        activation: Activation,
        norm: Norm,
    ) -> None:
        """`widths`: size of the encoder's output, then of the dense layers between two levels."""
        super().__init__(sizes)
        width, *hidden = widths
        first = nn.Sequential(*unit_norm(norm, width), ACTIVATIONS[activation]())
        self.up = nn.ModuleList([first])
        self.up.extend(dense(widths, activation, norm=norm) for _ in levels[1:])
        self.heads = nn.ModuleList(MomentsLayer(width, d) for d in levels)
        self.down = TopDown(levels, tuple(hidden), activation, norm)

    def forward(self, h: Tensor, samples: int | None = None) -> Code:
        """Converts features [B, width] to a code; each level is its mean given the level above.

        With `samples` all levels are sampled. The posterior has `log_prob` and `rsample`, but no
        moments in closed form.
        """
        bottom_up: list[Moments] = []
        for up, head in zip(self.up, self.heads, strict=True):
            h = up(h)
            bottom_up.append(head(h))
        q = LadderNormal(self.down, bottom_up, h.shape[:1])
        if samples is None:
            levels = self.down(bottom_up, (h.shape[0],), lambda level, m: m.mean)
        else:
            levels = q.sample_levels(Size((samples,)))
        return hierarchical_code(levels, q, samples)


class LadderPrior(Prior):
    """p(z) = p(z₁|z₂) … p(z_L); it shares the top-down network with the posterior."""

    space = Space.REAL

    def __init__(self, sizes: Sizes, down: LevelNetwork) -> None:
        """`down` is a network of the model; it does not become a submodule of the prior."""
        super().__init__(sizes)
        self.shared = (down,)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """The prior, which does not depend on the context."""
        (down,) = self.shared
        return LadderNormal(down)


def hierarchical_code(levels: Sequence[LadderLevel], q: LadderNormal, samples: int | None) -> Code:
    """The code of all levels, with the cost "kl": the sum of the KL of each level, [B].

    Each is the KL in closed form given the levels above, averaged over their samples.
    """
    # Of each dimension: torch cannot sum an empty batch of `Independent` distributions.
    pairs = [(level.q.normal().base_dist, level.p.normal().base_dist) for level in levels]
    kl = torch.stack([kl_divergence(q, p).sum(-1) for q, p in pairs]).sum(0)
    return Code(concatenated(levels), q, {"kl": kl if samples is None else kl.mean(0)})


def concatenated(levels: Sequence[LadderLevel]) -> Tensor:
    """Concatenates the codes of all levels, [*S, B, d₁ + … + d_L]."""
    return torch.cat([level.z for level in levels], -1)

"""Normals on a ladder: what a level holds depends on the level above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Size, Tensor, nn
from torch.distributions import Distribution, Independent, Normal, constraints, kl_divergence

from autoencode.contract import Bottleneck, Code, Prior, Sizes, Space
from autoencode.maths import Float32Linear
from autoencode.parts.bottlenecks.plain import LOG_VARIANCE
from autoencode.parts.networks.layers import ACTIVATIONS, Activation, Norm, dense, normalised


class Moments(NamedTuple):
    """A normal with independent dimensions: mean and ln σ², [..., d]."""

    mean: Tensor
    log_variance: Tensor

    def normal(self) -> Independent[Normal]:
        """As a distribution with event [d]."""
        scale = (0.5 * self.log_variance).exp()
        return Independent(Normal(self.mean, scale, validate_args=False), 1)

    def times(self, other: Moments) -> Moments:
        """The normal that the product of two densities is in proportion to."""
        share = torch.sigmoid(other.log_variance - self.log_variance)
        return Moments(
            share * self.mean + (1 - share) * other.mean,
            -torch.logaddexp(-self.log_variance, -other.log_variance),
        )


class LadderLevel(NamedTuple):
    """One level on the way down: its code, and its normals given the level above."""

    z: Tensor
    q: Moments
    p: Moments


class MomentsLayer(nn.Module):
    """Features to the moments of a normal."""

    def __init__(self, width: int, d: int) -> None:
        super().__init__()
        self.linear = Float32Linear(width, 2 * d)

    def forward(self, h: Tensor) -> Moments:
        """[..., width] to mean and ln σ² [..., d]; ln σ² is kept within [−30, 20]."""
        mean, log_variance = self.linear(h).chunk(2, -1)
        return Moments(mean, log_variance.clamp(*LOG_VARIANCE))


class TopDown(nn.Module):
    """The way down, p(z_l|z_{l+1}), which prior and posterior share."""

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
        # Follows the model to its device and precision; nothing to save.
        self.register_buffer("origin", torch.zeros(()), persistent=False)

    def forward(
        self,
        seen: Sequence[Moments] | None,
        lead: tuple[int, ...],
        choose: Callable[[int, Moments], Tensor],
    ) -> list[LadderLevel]:
        """The levels_drawn from below to above.

        seen: what the image says of each level, [B, d_l]; None for the prior.
        lead: the shape of codes before their last dimension, [*S, B].
        choose: level and its normal -> its code, [*S, B, d_l].
        """
        top = len(self.levels) - 1
        zeros = self.get_buffer("origin").expand(*lead, self.levels[top])
        p = Moments(zeros, zeros)
        levels_drawn: list[LadderLevel] = []
        for level in range(top, -1, -1):
            if levels_drawn:
                above = levels_drawn[-1].z
                flat = self.steps[level](above.reshape(-1, above.shape[-1]))
                p = Moments(*(each.reshape(*lead, -1) for each in flat))
            q = p
            if seen is not None:
                q = seen[level] if level == top else seen[level].times(p)
            levels_drawn.append(LadderLevel(choose(level, q), q, p))
        return levels_drawn[::-1]


class LadderNormal(Distribution):
    """Normals on a ladder: each level given the one above it, event [d₁ + … + d_L].

    The prior, batch []; or the posterior of what was `seen` on each level, batch [B].
    """

    arg_constraints = {}  # noqa: RUF012
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, down: TopDown, seen: Sequence[Moments] | None = None) -> None:
        self.down, self.seen = down, seen
        batch = Size() if seen is None else seen[0].mean.shape[:-1]
        super().__init__(batch, Size((sum(down.levels),)), validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws [*sample_shape, *batch, d], from the top down."""
        return concatenated(self.draw(Size(sample_shape)))

    def draw(self, sample_shape: Size) -> list[LadderLevel]:
        """Draws with the normals that they came from."""
        lead = (*sample_shape, *self.batch_shape)

        def drawn(level: int, m: Moments) -> Tensor:
            noise = torch.randn(*lead, m.mean.shape[-1], dtype=m.mean.dtype, device=m.mean.device)
            return m.mean + (0.5 * m.log_variance).exp() * noise

        levels_drawn: list[LadderLevel] = self.down(self.seen, lead, drawn)
        return levels_drawn

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats of codes [..., *batch, d]: Σ ln q(z_l|z_{l+1}), [..., *batch]."""
        parts = torch.split(value, list(self.down.levels), -1)
        levels_drawn = self.down(self.seen, tuple(value.shape[:-1]), lambda level, m: parts[level])
        return torch.stack([level.q.normal().log_prob(level.z) for level in levels_drawn]).sum(0)


class LadderBottleneck(Bottleneck):
    """The way up, what the image says of each level, and the posterior on the way down."""

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
        """widths: of the encoder's features, then of the dense layers between two levels."""
        super().__init__(sizes)
        width, *hidden = widths
        first = nn.Sequential(*normalised(norm, width), ACTIVATIONS[activation]())
        self.up = nn.ModuleList([first])
        self.up.extend(dense(widths, activation, norm=norm) for _ in levels[1:])
        self.heads = nn.ModuleList(MomentsLayer(width, d) for d in levels)
        self.down = TopDown(levels, tuple(hidden), activation, norm)

    def forward(self, h: Tensor, samples: int | None = None) -> Code:
        """Features [B, width] to a code; each level is at its mean given the one above, or drawn.

        The posterior has `log_prob` and `rsample`, and no moments in closed form.
        """
        seen: list[Moments] = []
        for up, head in zip(self.up, self.heads, strict=True):
            h = up(h)
            seen.append(head(h))
        q = LadderNormal(self.down, seen)
        if samples is None:
            levels_drawn = self.down(seen, (len(h),), lambda level, m: m.mean)
        else:
            levels_drawn = q.draw(Size((samples,)))
        nats = [kl_divergence(level.q.normal(), level.p.normal()) for level in levels_drawn]
        rate = torch.stack(nats).sum(0).reshape(-1, len(h)).mean(0)
        return Code(concatenated(levels_drawn), q, {"kl": rate})


class LadderPrior(Prior):
    """p(z) = p(z₁|z₂) … p(z_L), drawn from the top down; the way down is the posterior's too."""

    space = Space.REAL

    def __init__(self, sizes: Sizes, down: TopDown) -> None:
        """The way down is the bottleneck's: it is asked, and not kept as a part of this."""
        super().__init__(sizes)
        self.shared = (down,)

    def forward(self, context: Tensor | None, encode: Callable[[Tensor], Code]) -> Distribution:
        """The same for every context, with `log_prob` over all levels."""
        (down,) = self.shared
        return LadderNormal(down)


def concatenated(levels_drawn: Sequence[LadderLevel]) -> Tensor:
    """The codes of all levels side by side, [*S, B, d₁ + … + d_L]."""
    return torch.cat([level.z for level in levels_drawn], -1)

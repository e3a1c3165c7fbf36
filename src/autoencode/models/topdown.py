"""The networks of a hierarchical VAE with convolutions: bottom-up, top-down, and the posterior."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space
from autoencode.maths import widen
from autoencode.models.hierarchy import LadderLevel, LadderNormal, Moments, hierarchical_code
from autoencode.parts.networks.images import Map
from autoencode.parts.networks.maps import downsampling, upsampling
from autoencode.parts.networks.resnet import ResidualBlock, ResNet

# Limits of ln σ² of a level: a deviation of 0.007 to 150.
LOG_VARIANCE_LIMITS = (-10.0, 10.0)


class BottomUp(nn.Module):
    """The encoder network: residual blocks at each resolution, from the finest to the coarsest."""

    def __init__(self, config: ResNet, maps: Sequence[Map]) -> None:
        super().__init__()
        self.image = maps[0]
        self.stages = nn.ModuleList(
            nn.Sequential(
                downsampling(above, below, bias=config.norm == "none"),
                *config.between(below[0]),
                *(ResidualBlock(config, below[0]) for _ in range(config.blocks)),
            )
            for above, below in pairwise(maps)
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to the feature maps of all resolutions, concatenated, [B, features]."""
        h, found = x.reshape(-1, *self.image), []
        for stage in self.stages:
            h = stage(h)
            found.append(h.flatten(1))
        return torch.cat(found, 1)


class MapMoments(nn.Module):
    """Mean and ln σ² of each number of a level from feature maps, in float32."""

    def __init__(self, config: ResNet, inputs: int, channels: int, d: int) -> None:
        super().__init__()
        bias = config.norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, padding=1, bias=bias), *config.between(channels)
        )
        self.head = nn.Conv2d(channels, 2 * d, 1)
        with torch.no_grad():  # so that training begins with a small KL
            self.head.weight.mul_(0.1)

    def forward(self, h: Tensor) -> Moments:
        """[N, inputs, H, W] to moments [N, d·H·W]."""
        h = self.body(h)
        with torch.autocast(h.device.type, enabled=False):
            mean, log_variance = self.head(widen(h)).chunk(2, 1)
        return Moments(mean.flatten(1), log_variance.clamp(*LOG_VARIANCE_LIMITS).flatten(1))


class TopDownBlock(nn.Module):
    """One level: the prior of its code given the state h, and the next state given its code.

    h becomes R(h + W z) with a residual block R; `up` first enlarges h to the resolution.
    """

    def __init__(self, config: ResNet, shape: Map, d: int, above: Map | None) -> None:
        """`shape`: of h.  `d`: channels of z.  `above`: shape of h before it is enlarged."""
        super().__init__()
        channels = shape[0]
        layers: list[nn.Module] = []
        if above is not None:
            bias = config.norm == "none"
            layers = [upsampling(above, shape, channels, bias), *config.between(channels)]
        self.up = nn.Sequential(*layers)
        self.prior = MapMoments(config, channels, channels, d)
        self.project = nn.Conv2d(d, channels, 1)
        self.residual = ResidualBlock(config, channels)
        self.code_shape = (d, *shape[1:])

    def forward(self, h: Tensor, z: Tensor) -> Tensor:
        """The next state, [N, C, H, W], from the enlarged state and codes [N, d·H·W]."""
        with torch.autocast(h.device.type, enabled=False):
            added = self.project(z.reshape(-1, *self.code_shape))
        out: Tensor = self.residual(h + added)
        return out


class ImageFeatures(NamedTuple):
    """What the posterior knows of images: a head for each level, and feature maps [B, C, H, W]."""

    heads: nn.ModuleList
    maps: Sequence[Tensor]


class ImageTopDown(nn.Module):
    """The top-down network of p(z_l|z_above), which prior, posterior and decoder share.

    The levels are in the order of the computation: the coarsest resolution is the first.
    """

    def __init__(self, config: ResNet, maps: Sequence[Map], d: int) -> None:
        super().__init__()
        self.start = nn.Parameter(0.1 * torch.randn(maps[-1]))
        shapes = [shape for shape in reversed(maps[1:]) for _ in range(config.blocks)]
        above = [None, *shapes]
        self.blocks = nn.ModuleList(
            TopDownBlock(config, shape, d, None if before in (None, shape) else before)
            for before, shape in zip(above, shapes, strict=False)
        )
        self.levels = tuple(d * prod(shape[1:]) for shape in shapes)

    def forward(
        self,
        bottom_up: ImageFeatures | None,
        lead: tuple[int, ...],
        choose: Callable[[int, Moments], Tensor],
    ) -> list[LadderLevel]:
        """Computes all levels, see `TopDown.forward`."""
        return self.with_state(bottom_up, lead, choose)[0]

    def with_state(
        self,
        bottom_up: ImageFeatures | None,
        lead: tuple[int, ...],
        choose: Callable[[int, Moments], Tensor],
    ) -> tuple[list[LadderLevel], Tensor]:
        """All levels, and the last state, [N, C, H, W] for N = prod(lead)."""
        n = prod(lead)
        h = self.start.expand(n, *self.start.shape)
        levels: list[LadderLevel] = []
        for i, block in enumerate(self.blocks):
            assert isinstance(block, TopDownBlock)
            h = block.up(h)
            p = _shaped(block.prior(h), lead)
            q = p
            if bottom_up is not None:
                known = bottom_up.maps[i]
                known = known.expand(*lead, *known.shape[1:]).reshape(n, *known.shape[1:])
                shift, log_variance = _shaped(
                    bottom_up.heads[i](torch.cat([h, known.to(h.dtype)], 1)), lead
                )
                q = Moments(p.mean + shift, log_variance)
            z = choose(i, q)
            levels.append(LadderLevel(z, q, p))
            h = block(h, z.reshape(n, self.levels[i]))
        return levels, h


class TopDownDecoder(nn.Module):
    """The decoder network: the top-down network, and one transposed convolution to the image."""

    def __init__(self, down: ImageTopDown, maps: Sequence[Map], sizes: Sizes, channels: int):
        super().__init__()
        self.down = down
        self.out = upsampling(maps[1], maps[0], maps[0][0] * channels)
        self.shape = (channels, *sizes.x)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Codes of all levels [B, d] to [B, channels, *X]."""
        parts = torch.split(z, list(self.down.levels), 1)
        _, h = self.down.with_state(None, (z.shape[0],), lambda level, moments: parts[level])
        return self.image(h)

    def image(self, h: Tensor) -> Tensor:
        """The last state [N, C, H, W] to [N, channels, *X]."""
        out: Tensor = self.out(h)
        return out.reshape(-1, *self.shape)


class ImageLevels(Bottleneck):
    """The bottleneck of a hierarchical VAE: the heads of the posterior at each level.

    A head gives q(z_l|x, z_above) from the state of the top-down network and the feature map of the
    image at that resolution: the mean is that of the prior plus the first output.
    """

    space = Space.REAL
    random = True

    def __init__(self, sizes: Sizes, config: ResNet, maps: Sequence[Map], down: ImageTopDown):
        """`down` belongs to the decoder; it does not become a submodule of the bottleneck."""
        super().__init__(sizes)
        self.shared, self.shapes = (down,), tuple(maps[1:])
        self.blocks = config.blocks
        shapes = [shape for shape in reversed(self.shapes) for _ in range(config.blocks)]
        d = down.levels[0] // prod(shapes[0][1:])
        self.heads = nn.ModuleList(MapMoments(config, 2 * s[0], s[0], d) for s in shapes)

    def forward(self, h: Tensor, samples: int | None = None) -> Code:
        """Features [B, features] to a code; each level is its mean given the levels above.

        With `samples` all levels are sampled. The posterior has `log_prob` and `rsample`, but no
        moments in closed form.
        """
        return self.with_state(h, samples)[0]

    def with_state(self, h: Tensor, samples: int | None) -> tuple[Code, Tensor]:
        """The code, and the last state of the top-down network, from which images are decoded."""
        flat = torch.split(h, [prod(shape) for shape in self.shapes], 1)
        maps = [each.reshape(-1, *shape) for each, shape in zip(flat, self.shapes, strict=True)]
        by_level = [each for each in reversed(maps) for _ in range(self.blocks)]
        features = ImageFeatures(self.heads, by_level)
        (down,) = self.shared
        n = h.shape[0]
        lead = (n,) if samples is None else (samples, n)
        levels, state = down.with_state(
            features, lead, lambda _, m: m.mean if samples is None else m.sample(lead)
        )
        return hierarchical_code(levels, LadderNormal(down, features, h.shape[:1]), samples), state


def _shaped(moments: Moments, lead: tuple[int, ...]) -> Moments:
    """Moments [N, d] as [*lead, d]."""
    return Moments(*(each.reshape(*lead, each.shape[-1]) for each in moments))

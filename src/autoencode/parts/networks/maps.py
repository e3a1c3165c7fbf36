"""What networks of feature maps share: halving, what stands at the code, and back."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from autoencode.contract import Network, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear, widen
from autoencode.parts.networks.layers import (
    ACTIVATIONS,
    Activation,
    Norm,
    dense,
    normalised_maps,
    with_context,
)

# Where `stages` is left open, halving stops when the longer side is at most this.
SMALLEST = 8
# Channels double with each halving, up to this multiple of the first.
WIDEST = 8

Stages = Annotated[int, Within(1, 16)]
CodeShape = Literal["vector", "map"]
# Channels, height and width.
Map = tuple[int, int, int]


class MapNetwork(Network):
    """An image halved `stages` times, then dense layers to the code, and back.

    A code that is a map has no dense layers: one 1×1 convolution makes it of the smallest map, and
    each place of it sees a part of the image. Context joins beside the smallest map and the code.
    """

    # How a message calls it.
    name: ClassVar[str]

    def __init__(
        self,
        width: Width,
        stages: Stages | None,
        hidden: tuple[Width, ...],
        activation: Activation,
        norm: Norm,
        code: CodeShape,
    ) -> None:
        self.code = code
        self.width, self.stages = width, stages
        self.hidden, self.activation, self.norm = hidden, activation, norm

    @abstractmethod
    def down(self, maps: list[Map]) -> nn.Sequential:
        """The layers from the first of `maps` to the last, activated: [B, *first] -> [B, *last]."""

    @abstractmethod
    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """The layers from the first of `maps` to `channels` times as many of the last."""

    def maps(self, sizes: Sizes) -> list[Map]:
        """Every map, from the image to the smallest.

        Raises:
            RecipeError: examples are vectors.
        """
        if sizes.image is None:
            raise RecipeError(
                f"A {self.name} network needs images, "
                f"and one example here is a vector of {sizes.pixels}",
                'Use network "mlp".',
            )
        maps = [sizes.image]
        while len(maps) - 1 < self._stages(sizes.image):
            _, high, wide = maps[-1]
            channels = min(self.width * 2 ** (len(maps) - 1), self.width * WIDEST)
            maps.append((channels, (high + 1) // 2, (wide + 1) // 2))
        return maps

    def _stages(self, image: Map) -> int:
        if self.stages is not None:
            return self.stages
        longer, stages = max(image[1:]), 0
        while longer > SMALLEST or stages == 0:
            longer, stages = (longer + 1) // 2, stages + 1
        return stages

    def code_shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape of a code of `sizes.latent` numbers, or so many at each place of the map."""
        return (sizes.latent, *self.maps(sizes)[-1][1:]) if self.code == "map" else sizes.z

    def between(self, channels: int) -> list[nn.Module]:
        """What stands between two convolutions."""
        return [*normalised_maps(self.norm, channels), ACTIVATIONS[self.activation]()]

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        kind = MapEncoder if len(sizes.z) == 1 else CodeMapEncoder
        return kind(self, sizes, features)

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        kind = MapDecoder if len(sizes.z) == 1 else CodeMapDecoder
        return kind(self, sizes, channels)


class MapEncoder(nn.Module):
    """Image to features."""

    def __init__(self, config: MapNetwork, sizes: Sizes, features: int) -> None:
        super().__init__()
        maps = config.maps(sizes)
        self.image = maps[0]
        self.body = config.down(maps)
        widths = (prod(maps[-1]) + sizes.context, *config.hidden)
        self.dense = dense(widths, config.activation, norm=config.norm)
        self.head = Float32Linear(widths[-1], features)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        h = self.body(x.reshape(-1, *self.image)).flatten(1)
        features: Tensor = self.head(self.dense(with_context(h, context)))
        return features


class MapDecoder(nn.Module):
    """Code to what the likelihood asks for, a number or more for each pixel."""

    def __init__(self, config: MapNetwork, sizes: Sizes, channels: int) -> None:
        super().__init__()
        maps = config.maps(sizes)[::-1]
        self.smallest, self.shape = maps[0], (channels, *sizes.x)
        widths = (sizes.latent + sizes.context, *reversed(config.hidden), prod(maps[0]))
        self.dense = dense(widths, config.activation, norm=config.norm, first=Float32Linear)
        self.body = config.up(maps, channels)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        h = self.dense(with_context(z.flatten(1), context)).unflatten(1, self.smallest)
        out: Tensor = self.body(h)
        return out.reshape(-1, *self.shape)


class CodeMapEncoder(nn.Module):
    """Image to the features of a code that is a map, [D, h, w]."""

    def __init__(self, config: MapNetwork, sizes: Sizes, features: int) -> None:
        super().__init__()
        maps = config.maps(sizes)
        self.image = maps[0]
        self.body = config.down(maps)
        _check_map(config, sizes, maps[-1])
        places = prod(sizes.z[1:])
        self.head = nn.Conv2d(maps[-1][0] + sizes.context, features // places, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]: all places of one channel after those of another."""
        h = self.body(x.reshape(-1, *self.image))
        with torch.autocast(x.device.type, enabled=False):
            features: Tensor = self.head(_everywhere(widen(h), context)).flatten(1)
        return features


class CodeMapDecoder(nn.Module):
    """A code that is a map, [D, h, w], to what the likelihood asks for."""

    def __init__(self, config: MapNetwork, sizes: Sizes, channels: int) -> None:
        super().__init__()
        maps = config.maps(sizes)[::-1]
        _check_map(config, sizes, maps[0])
        self.shape = (channels, *sizes.x)
        first = nn.Conv2d(sizes.z[0] + sizes.context, maps[0][0], 1)
        self.start = nn.ModuleList([first, nn.Sequential(*config.between(maps[0][0]))])
        self.body = config.up(maps, channels)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, D, h, w] to [B, channels, *X]."""
        first, rest = self.start
        with torch.autocast(z.device.type, enabled=False):
            h = first(_everywhere(widen(z), context))
        out: Tensor = self.body(rest(h))
        return out.reshape(-1, *self.shape)


def _everywhere(h: Tensor, context: Tensor | None) -> Tensor:
    """Maps [B, F, h, w] with their context [B, C] at every place, [B, F + C, h, w]."""
    if context is None:
        return h
    return torch.cat([h, context.to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)


def _check_map(config: MapNetwork, sizes: Sizes, smallest: Map) -> None:
    if sizes.z[1:] != smallest[1:]:
        raise RecipeError(
            f"A {config.name} network makes codes of {smallest[1]}×{smallest[2]} places of such "
            f"images, and codes of the shape {sizes.z} were asked for",
            "Let `sizes_for` in models.build say the shape.",
        )


def halving(above: Map, below: Map, bias: bool = True) -> nn.Conv2d:
    """A convolution that halves both sides, the odd ones upwards."""
    return nn.Conv2d(above[0], below[0], 3, stride=2, padding=1, bias=bias)


def doubling(below: Map, above: Map, outputs: int, bias: bool = True) -> nn.ConvTranspose2d:
    """A convolution that brings `below` to the sides of `above`."""
    # An odd side is 2n − 1, an even one 2n, of the n below it.
    odd = (1 - above[1] % 2, 1 - above[2] % 2)
    return nn.ConvTranspose2d(
        below[0], outputs, 3, stride=2, padding=1, output_padding=odd, bias=bias
    )

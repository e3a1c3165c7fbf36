"""The base class of convolutional networks: downsampling, layers at the code, upsampling."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Annotated

import torch
from torch import Tensor, nn

from autoencode.contract import Sizes, Width, Within
from autoencode.maths import Float32Linear, widen
from autoencode.parts.networks.images import CodeShape, ImageNetwork, Map
from autoencode.parts.networks.layers import (
    ACTIVATIONS,
    Activation,
    Norm,
    dense,
    map_norm,
    with_context,
)
from autoencode.parts.networks.linear import Linear, PrincipalDecoder, decoder_path, encoder_path

# By default, downsampling stops when the longer side has at most this number of pixels.
MAX_SMALLEST_SIDE = 8
# Channels double with each downsampling, up to this multiple of the first.
MAX_CHANNEL_FACTOR = 8

Stages = Annotated[int, Within(1, 16)]


class MapNetwork(ImageNetwork):
    """Base class: an encoder that downsamples an image, dense layers, and a mirrored decoder.

    If the code is a feature map, there are no dense layers: a 1×1 convolution converts the smallest
    feature map to the code. The context is concatenated to the smallest map and to the code.
    """

    def __init__(
        self,
        width: Width,
        stages: Stages | None,
        hidden: tuple[Width, ...],
        activation: Activation,
        norm: Norm,
        code: CodeShape,
        linear: Linear,
    ) -> None:
        self.code, self.linear = code, linear
        self.width, self.stages = width, stages
        self.hidden, self.activation, self.norm = hidden, activation, norm

    @abstractmethod
    def down(self, maps: list[Map]) -> nn.Sequential:
        """Layers of the encoder: [B, *maps[0]] to [B, *maps[-1]], activated."""

    @abstractmethod
    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """Layers of the decoder: maps[0] to maps[-1] with `channels` times its channels."""

    def maps(self, sizes: Sizes) -> list[Map]:
        """Shapes (channels, height, width) of all feature maps, from the image to the smallest.

        Raises:
            RecipeError: as `image_of`.
        """
        image = self.image_of(sizes)
        maps = [image]
        while len(maps) - 1 < self._stages(image):
            _, high, wide = maps[-1]
            channels = min(self.width * 2 ** (len(maps) - 1), self.width * MAX_CHANNEL_FACTOR)
            maps.append((channels, (high + 1) // 2, (wide + 1) // 2))
        return maps

    def _stages(self, image: Map) -> int:
        if self.stages is not None:
            return self.stages
        longer, stages = max(image[1:]), 0
        while longer > MAX_SMALLEST_SIDE or stages == 0:
            longer, stages = (longer + 1) // 2, stages + 1
        return stages

    def positions(self, sizes: Sizes) -> tuple[int, int]:
        """Height and width of the smallest feature map."""
        return self.maps(sizes)[-1][1:]

    def between(self, channels: int) -> list[nn.Module]:
        """Normalisation and activation between two convolutions."""
        return [*map_norm(self.norm, channels), ACTIVATIONS[self.activation]()]

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        kind = MapEncoder if len(sizes.z) == 1 else CodeMapEncoder
        return kind(self, sizes, features)

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        kind = MapDecoder if len(sizes.z) == 1 else CodeMapDecoder
        return kind(self, sizes, channels)


class MapEncoder(nn.Module):
    """Encoder network for codes that are vectors."""

    def __init__(self, config: MapNetwork, sizes: Sizes, features: int) -> None:
        super().__init__()
        maps = config.maps(sizes)
        self.image = maps[0]
        self.body = config.down(maps)
        widths = (prod(maps[-1]) + sizes.context, *config.hidden)
        self.dense = dense(widths, config.activation, norm=config.norm)
        self.head = Float32Linear(widths[-1], features)
        self.shortcut = encoder_path(config.linear, sizes, features, self.head)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        h = self.body(x.reshape(-1, *self.image)).flatten(1)
        features: Tensor = self.head(self.dense(with_context(h, context)))
        if self.shortcut is not None:
            features = features + self.shortcut(x.flatten(1), context)
        return features


class MapDecoder(nn.Module):
    """Decoder network for codes that are vectors."""

    def __init__(self, config: MapNetwork, sizes: Sizes, channels: int) -> None:
        super().__init__()
        maps = config.maps(sizes)[::-1]
        self.smallest, self.shape = maps[0], (channels, *sizes.x)
        widths = (sizes.latent + sizes.context, *reversed(config.hidden), prod(maps[0]))
        self.dense = dense(widths, config.activation, norm=config.norm, first=Float32Linear)
        self.body = config.up(maps, channels)
        outputs = channels * sizes.pixels
        self.shortcut = decoder_path(config.linear, sizes, outputs, self.body[-1])

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        z = z.flatten(1)
        h = self.dense(with_context(z, context)).unflatten(1, self.smallest)
        out: Tensor = self.body(h).reshape(-1, *self.shape)
        if self.shortcut is not None:
            out = out + self.shortcut(z, context).reshape(-1, *self.shape)
        return out

    def start_at(self, examples: Tensor) -> None:
        """Lets outputs start around the means of the channels of these, [N, channels, *X]."""
        if isinstance(self.shortcut, PrincipalDecoder):
            return  # it has the mean
        _set_mean(self.body[-1], examples)


class CodeMapEncoder(nn.Module):
    """Encoder network for codes that are feature maps [D, h, w]."""

    def __init__(self, config: MapNetwork, sizes: Sizes, features: int) -> None:
        super().__init__()
        maps = config.maps(sizes)
        self.image = maps[0]
        self.body = config.down(maps)
        config.check_code(sizes)
        positions = prod(sizes.z[1:])
        self.head = nn.Conv2d(maps[-1][0] + sizes.context, features // positions, 1)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features], channel by channel."""
        h = self.body(x.reshape(-1, *self.image))
        with torch.autocast(x.device.type, enabled=False):
            features: Tensor = self.head(_append_context(widen(h), context)).flatten(1)
        return features


class CodeMapDecoder(nn.Module):
    """Decoder network for codes that are feature maps [D, h, w]."""

    def __init__(self, config: MapNetwork, sizes: Sizes, channels: int) -> None:
        super().__init__()
        maps = config.maps(sizes)[::-1]
        config.check_code(sizes)
        self.shape = (channels, *sizes.x)
        first = nn.Conv2d(sizes.z[0] + sizes.context, maps[0][0], 1)
        self.start = nn.ModuleList([first, nn.Sequential(*config.between(maps[0][0]))])
        self.body = config.up(maps, channels)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, D, h, w] to [B, channels, *X]."""
        first, rest = self.start
        with torch.autocast(z.device.type, enabled=False):
            h = first(_append_context(widen(z), context))
        out: Tensor = self.body(rest(h))
        return out.reshape(-1, *self.shape)

    def start_at(self, examples: Tensor) -> None:
        """As `MapDecoder.start_at`."""
        _set_mean(self.body[-1], examples)


def _set_mean(last: nn.Module, examples: Tensor) -> None:
    """Sets the bias of the last convolution to the mean of each channel of outputs [N, c, *X]."""
    assert isinstance(last, nn.ConvTranspose2d)
    assert last.bias is not None
    channels = examples.reshape(len(examples), len(last.bias), -1)
    last.bias.data.copy_(channels.mean((0, 2)))


def _append_context(h: Tensor, context: Tensor | None) -> Tensor:
    """Appends the context [B, C] to every position of maps [B, F, h, w]: [B, F + C, h, w]."""
    if context is None:
        return h
    return torch.cat([h, context.to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])], 1)


def downsampling(above: Map, below: Map, bias: bool = True) -> nn.Conv2d:
    """A convolution with stride 2; odd heights and widths are rounded up."""
    return nn.Conv2d(above[0], below[0], 3, stride=2, padding=1, bias=bias)


def upsampling(below: Map, above: Map, outputs: int, bias: bool = True) -> nn.ConvTranspose2d:
    """A transposed convolution with stride 2 from the size of `below` to that of `above`."""
    # n pixels become 2n − 1, or 2n with one pixel of output padding.
    padding = (1 - above[1] % 2, 1 - above[2] % 2)
    return nn.ConvTranspose2d(
        below[0], outputs, 3, stride=2, padding=1, output_padding=padding, bias=bias
    )

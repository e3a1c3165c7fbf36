"""Small convolutional networks, for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from torch import Tensor, nn

from autoencode.contract import Network, Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.maths import Float32Linear
from autoencode.parts.networks.layers import (
    ACTIVATIONS,
    Activation,
    Norm,
    dense,
    with_context,
)

# Where `stages` is left open, halving stops when the longer side is at most this.
SMALLEST = 8
# Channels double with each halving, up to this multiple of the first.
WIDEST = 8

Stages = Annotated[int, Within(1, 16)]


class Conv(Network):
    """Convolutions that halve the image `stages` times, then dense layers to the code, and back.

    width: channels after the first halving; they double with each further one.
    stages: halvings; None halves until the longer side is at most 8.
    hidden: widths of dense layers between the smallest map and the code.
    norm: "batch" normalises each channel and each dense unit over the batch [ioffe2015].
    """

    def __init__(
        self,
        width: Width = 8,
        stages: Stages | None = None,
        hidden: tuple[Width, ...] = (256,),
        activation: Activation = "relu",
        norm: Norm = "batch",
    ) -> None:
        self.width, self.stages = width, stages
        self.hidden, self.activation, self.norm = hidden, activation, norm

    def maps(self, sizes: Sizes) -> list[tuple[int, int, int]]:
        """Channels, height and width of every map, from the image to the smallest."""
        if sizes.image is None:
            raise RecipeError(
                f"A conv network needs images, and one example here is a vector of {sizes.pixels}",
                'Use network "mlp".',
            )
        maps = [sizes.image]
        while len(maps) - 1 < self._stages(sizes.image):
            _, high, wide = maps[-1]
            channels = min(self.width * 2 ** (len(maps) - 1), self.width * WIDEST)
            maps.append((channels, (high + 1) // 2, (wide + 1) // 2))
        return maps

    def _stages(self, image: tuple[int, int, int]) -> int:
        if self.stages is not None:
            return self.stages
        longer, stages = max(image[1:]), 0
        while longer > SMALLEST or stages == 0:
            longer, stages = (longer + 1) // 2, stages + 1
        return stages

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        return ConvEncoder(self, sizes, features)

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        return ConvDecoder(self, sizes, channels)


class ConvEncoder(nn.Module):
    """Image to features."""

    def __init__(self, config: Conv, sizes: Sizes, features: int) -> None:
        super().__init__()
        maps = config.maps(sizes)
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            layers.append(nn.Conv2d(above[0], below[0], 3, stride=2, padding=1))
            layers += _between(below[0], config)
        self.image = maps[0]
        self.body = nn.Sequential(*layers)
        widths = (_numbers(maps[-1]) + sizes.context, *config.hidden)
        self.dense = dense(widths, config.activation, norm=config.norm)
        self.head = Float32Linear(widths[-1], features)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        h = self.body(x.reshape(-1, *self.image)).flatten(1)
        features: Tensor = self.head(self.dense(with_context(h, c)))
        return features


class ConvDecoder(nn.Module):
    """Code to what the likelihood asks for, a number or more for each pixel."""

    def __init__(self, config: Conv, sizes: Sizes, channels: int) -> None:
        super().__init__()
        smallest, *larger = reversed(config.maps(sizes))
        self.smallest, self.shape = smallest, (channels, *sizes.x)
        widths = (sizes.latent + sizes.context, *reversed(config.hidden), _numbers(smallest))
        self.dense = dense(widths, config.activation, norm=config.norm, first=Float32Linear)
        layers: list[nn.Module] = []
        below = smallest
        for above in larger:
            if layers:
                layers += _between(below[0], config)
            outputs = above[0] * (channels if above is larger[-1] else 1)
            # An odd side is 2n − 1, an even one 2n, of the n below it.
            odd = (1 - above[1] % 2, 1 - above[2] % 2)
            layers.append(
                nn.ConvTranspose2d(below[0], outputs, 3, stride=2, padding=1, output_padding=odd)
            )
            below = above
        self.body = nn.Sequential(*layers)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        h = self.dense(with_context(z.flatten(1), c)).unflatten(1, self.smallest)
        out: Tensor = self.body(h)
        return out.reshape(-1, *self.shape)


def _between(channels: int, config: Conv) -> list[nn.Module]:
    """What stands between two convolutions."""
    norm = [nn.BatchNorm2d(channels)] if config.norm == "batch" else []
    return [*norm, ACTIVATIONS[config.activation]()]


def _numbers(shape: tuple[int, int, int]) -> int:
    return shape[0] * shape[1] * shape[2]

"""Small residual networks, for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from torch import Tensor, nn

from autoencode.contract import Width, Within
from autoencode.parts.networks.layers import ACTIVATIONS, Activation, Norm
from autoencode.parts.networks.maps import CodeShape, Map, MapNetwork, Stages, doubling, halving

Blocks = Annotated[int, Within(1, 64)]


class ResNet(MapNetwork):
    """`Conv` with residual blocks at every size but the image's own: deeper, for the same maps.

    width: channels after the first halving; they double with each further one.
    blocks: residual blocks after each halving, and before each doubling.
    stages: halvings; None halves until the longer side is at most 8.
    hidden: widths of dense layers between the smallest map and the code.
    norm: "batch" normalises each channel and each dense unit over the batch [ioffe2015], "layer"
        each example over its maps and over its dense units [ba2016].
    code: "map" leaves the dense layers out: the code is a map, `latent` numbers at each place of
        the smallest one, (latent, 7, 7) for images of 28×28.
    Source: [he2016].
    """

    name = "resnet"

    def __init__(
        self,
        width: Width = 16,
        blocks: Blocks = 1,
        stages: Stages | None = None,
        hidden: tuple[Width, ...] = (256,),
        activation: Activation = "relu",
        norm: Norm = "batch",
        code: CodeShape = "vector",
    ) -> None:
        super().__init__(width, stages, hidden, activation, norm, code)
        self.blocks = blocks

    def down(self, maps: list[Map]) -> nn.Sequential:
        """For each halving a convolution, then the blocks."""
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            # Normalisation takes a bias away again.
            layers += [halving(above, below, bias=self.norm == "none"), *self.between(below[0])]
            layers += [ResidualBlock(self, below[0]) for _ in range(self.blocks)]
        return nn.Sequential(*layers)

    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """For each doubling the blocks, then a transposed convolution."""
        layers: list[nn.Module] = []
        for below, above in pairwise(maps):
            layers += [ResidualBlock(self, below[0]) for _ in range(self.blocks)]
            if above is maps[-1]:
                layers.append(doubling(below, above, above[0] * channels))
            else:
                layers.append(doubling(below, above, above[0], bias=self.norm == "none"))
                layers += self.between(above[0])
        return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """h -> activation(h + F(h)), F two 3×3 convolutions, on maps of one size [B, C, H, W]."""

    def __init__(self, config: MapNetwork, channels: int) -> None:
        super().__init__()
        bias = config.norm == "none"
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            *config.between(channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            *config.between(channels)[:-1],
        )
        self.activation = ACTIVATIONS[config.activation]()

    def forward(self, h: Tensor) -> Tensor:
        """[B, C, H, W], the same in and out."""
        out: Tensor = self.activation(h + self.body(h))
        return out

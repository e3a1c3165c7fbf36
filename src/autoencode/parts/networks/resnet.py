"""Residual networks for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from torch import Tensor, nn

from autoencode.contract import Width, Within
from autoencode.parts.networks.images import CodeShape, Map
from autoencode.parts.networks.layers import ACTIVATIONS, Activation, Norm
from autoencode.parts.networks.linear import Linear
from autoencode.parts.networks.maps import MapNetwork, Stages, downsampling, upsampling

Blocks = Annotated[int, Within(1, 64)]


class ResNet(MapNetwork):
    """`Conv` with residual blocks after each downsampling and before each upsampling.

    blocks: residual blocks per feature-map size.
    width, stages, hidden, norm, code, linear: as in `Conv`.
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
        linear: Linear = "none",
    ) -> None:
        super().__init__(width, stages, hidden, activation, norm, code, linear)
        self.blocks = blocks

    def down(self, maps: list[Map]) -> nn.Sequential:
        """For each downsampling a strided convolution, then the blocks."""
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            # Normalisation removes a bias.
            layers += [
                downsampling(above, below, bias=self.norm == "none"),
                *self.between(below[0]),
            ]
            layers += [ResidualBlock(self, below[0]) for _ in range(self.blocks)]
        return nn.Sequential(*layers)

    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """For each upsampling the blocks, then a transposed convolution."""
        layers: list[nn.Module] = []
        for below, above in pairwise(maps):
            layers += [ResidualBlock(self, below[0]) for _ in range(self.blocks)]
            if above is maps[-1]:
                layers.append(upsampling(below, above, above[0] * channels))
            else:
                layers.append(upsampling(below, above, above[0], bias=self.norm == "none"))
                layers += self.between(above[0])
        return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """Residual block: activation(h + F(h)), where F is two 3×3 convolutions, [B, C, H, W]."""

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
        """Maps [B, C, H, W] to the same shape."""
        out: Tensor = self.activation(h + self.body(h))
        return out

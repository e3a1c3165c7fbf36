"""Convolutional networks for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from autoencode.contract import Width
from autoencode.parts.networks.images import CodeShape, Map
from autoencode.parts.networks.layers import Activation, Norm
from autoencode.parts.networks.linear import Linear
from autoencode.parts.networks.maps import MapNetwork, Stages, downsampling, upsampling


class Conv(MapNetwork):
    """Strided convolutions, then dense layers to the code; the decoder mirrors the encoder.

    width: channels after the first downsampling; they double with each further one.
    stages: number of downsamplings by 2; None for as many as bring the longer side to 8 or less.
    hidden: widths of the dense layers between the smallest feature map and the code.
    norm: "batch" normalises each channel and each dense unit over the batch [ioffe2015], "layer"
        normalises each example over its feature maps and over its dense units [ba2016].
    code: "map" omits the dense layers. The code is then a feature map with `latent` channels, such
        as (latent, 7, 7) for images of 28×28.
    linear: a linear path as in `MLP`, for codes that are vectors.
    """

    name = "conv"

    def __init__(
        self,
        width: Width = 8,
        stages: Stages | None = None,
        hidden: tuple[Width, ...] = (256,),
        activation: Activation = "relu",
        norm: Norm = "batch",
        code: CodeShape = "vector",
        linear: Linear = "none",
    ) -> None:
        super().__init__(width, stages, hidden, activation, norm, code, linear)

    def down(self, maps: list[Map]) -> nn.Sequential:
        """One strided convolution per downsampling."""
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            layers += [downsampling(above, below), *self.between(below[0])]
        return nn.Sequential(*layers)

    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """One transposed convolution per upsampling."""
        layers: list[nn.Module] = []
        for below, above in pairwise(maps):
            if layers:
                layers += self.between(below[0])
            outputs = above[0] * (channels if above is maps[-1] else 1)
            layers.append(upsampling(below, above, outputs))
        return nn.Sequential(*layers)

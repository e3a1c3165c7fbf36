"""Small convolutional networks, for images of any size and number of channels."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from autoencode.contract import Width
from autoencode.parts.networks.layers import Activation, Norm
from autoencode.parts.networks.maps import CodeShape, Map, MapNetwork, Stages, doubling, halving


class Conv(MapNetwork):
    """Convolutions that halve the image `stages` times, then dense layers to the code, and back.

    width: channels after the first halving; they double with each further one.
    stages: halvings; None halves until the longer side is at most 8.
    hidden: widths of dense layers between the smallest map and the code.
    norm: "batch" normalises each channel and each dense unit over the batch [ioffe2015], "layer"
        each example over its maps and over its dense units [ba2016].
    code: "map" leaves the dense layers out: the code is a map, `latent` numbers at each place of
        the smallest one, (latent, 7, 7) for images of 28×28.
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
    ) -> None:
        super().__init__(width, stages, hidden, activation, norm, code)

    def down(self, maps: list[Map]) -> nn.Sequential:
        """A convolution for each halving."""
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            layers += [halving(above, below), *self.between(below[0])]
        return nn.Sequential(*layers)

    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """A transposed convolution for each doubling."""
        layers: list[nn.Module] = []
        for below, above in pairwise(maps):
            if layers:
                layers += self.between(below[0])
            outputs = above[0] * (channels if above is maps[-1] else 1)
            layers.append(doubling(below, above, outputs))
        return nn.Sequential(*layers)

"""Convolutional networks for series: vectors whose neighbouring values belong together."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from torch import nn

from autoencode.contract import Sizes, Width, Within
from autoencode.errors import RecipeError
from autoencode.parts.networks.images import CodeShape, Map
from autoencode.parts.networks.layers import Activation, Norm
from autoencode.parts.networks.linear import Linear
from autoencode.parts.networks.maps import MapNetwork, Stages

# Half of what a kernel covers besides its middle: it has 2 · reach + 1 positions.
Reach = Annotated[int, Within(1, 64)]


class Conv1d(MapNetwork):
    """`Conv` along the last axis: a series of D values, [D], or of C channels, [C, D].

    width: channels after the first downsampling; they double with each further one.
    reach: neighbours on each side that a convolution sees: its kernel has 2 · reach + 1 positions.
    stages: number of downsamplings by 2; None for as many as bring the length to 8 or less.
    hidden, norm, code, linear: as in `Conv`; the positions of a code that is a map are 1 × length.

    The first axis of [C, D] holds channels, and convolutions do not move along it: of an image,
    each row is a channel.
    """

    name = "conv1d"

    def __init__(
        self,
        width: Width = 16,
        reach: Reach = 2,
        stages: Stages | None = None,
        hidden: tuple[Width, ...] = (256,),
        activation: Activation = "relu",
        norm: Norm = "batch",
        code: CodeShape = "vector",
        linear: Linear = "none",
    ) -> None:
        super().__init__(width, stages, hidden, activation, norm, code, linear)
        self.reach = reach

    def image_of(self, sizes: Sizes) -> Map:
        """(channels, 1, length).

        Raises:
            RecipeError: examples have more than two axes.
        """
        if len(sizes.x) > 2:
            raise RecipeError(
                f'Network "{self.name}" needs series, [length] or [channels, length], and examples '
                f"are {'×'.join(map(str, sizes.x))}",
                'Use network "conv".',
            )
        return (1 if len(sizes.x) == 1 else sizes.x[0], 1, sizes.x[-1])

    def down(self, maps: list[Map]) -> nn.Sequential:
        """One strided convolution per downsampling."""
        kernel, padding = (1, 2 * self.reach + 1), (0, self.reach)
        layers: list[nn.Module] = []
        for above, below in pairwise(maps):
            layers.append(nn.Conv2d(above[0], below[0], kernel, stride=(1, 2), padding=padding))
            layers += self.between(below[0])
        return nn.Sequential(*layers)

    def up(self, maps: list[Map], channels: int) -> nn.Sequential:
        """One transposed convolution per upsampling."""
        kernel, padding = (1, 2 * self.reach + 1), (0, self.reach)
        layers: list[nn.Module] = []
        for below, above in pairwise(maps):
            if layers:
                layers += self.between(below[0])
            outputs = above[0] * (channels if above is maps[-1] else 1)
            # n values become 2n − 1, or 2n with one value of output padding.
            odd = (0, 1 - above[2] % 2)
            layers.append(
                nn.ConvTranspose2d(
                    below[0], outputs, kernel, stride=(1, 2), padding=padding, output_padding=odd
                )
            )
        return nn.Sequential(*layers)

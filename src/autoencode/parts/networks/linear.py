"""The linear path beside the layers of a network, from which training may begin at PCA."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Sizes
from autoencode.maths import Float32Linear, widen
from autoencode.parts.networks.layers import with_context

# "none": no linear path. "random": a linear layer with random weights from inputs to outputs.
# "pca": a path through principal components, at which training begins [lucas2019].
Linear = Literal["none", "random", "pca"]


class RandomPath(Float32Linear):
    """A linear layer from inputs and context to outputs, with random initial weights."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, inputs] and [B, C] to [B, outputs]."""
        return super().forward(with_context(x, context))


class PrincipalEncoder(nn.Module):
    """Linear map of an example's principal components to features: M A (x − m) + b.

    The rows of A, [k, D], give components of unit variance. Mean m and A are fixed, and M and b
    are learned: the inputs of M have one scale, which suits an optimiser that changes each weight
    by a similar amount.

    Until `set_components` A is random and m is 0.
    """

    def __init__(self, inputs: int, components: int, context: int, features: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(inputs))
        self.register_buffer("axes", torch.randn(components, inputs) / math.sqrt(inputs))
        self.mix = Float32Linear(components + context, features)

    def set_components(self, centre: Tensor, axes: Tensor, weight: Tensor, bias: Tensor) -> None:
        """Sets m [D], A [k, D], the weights of the components in M [features, k], and b.

        Weights of the context become 0.
        """
        self.get_buffer("centre").copy_(centre)
        self.get_buffer("axes").copy_(axes)
        _set_mix(self.mix, weight, bias)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, D] and [B, C] to [B, features]."""
        with torch.autocast(x.device.type, enabled=False):
            centred = widen(x) - self.get_buffer("centre")
            components = functional.linear(centred, self.get_buffer("axes"))
        features: Tensor = self.mix(with_context(components, context))
        return features


class PrincipalDecoder(nn.Module):
    """Linear map of codes to examples through principal components: m + A (M z + b).

    The columns of A, [D, k], are components times their standard deviation. As in
    `PrincipalEncoder`, m and A are fixed, and M and b are learned.
    """

    def __init__(self, latent: int, context: int, components: int, outputs: int) -> None:
        super().__init__()
        self.mix = Float32Linear(latent + context, components)
        self.register_buffer("centre", torch.zeros(outputs))
        self.register_buffer("axes", torch.randn(outputs, components) / math.sqrt(outputs))

    def set_components(self, centre: Tensor, axes: Tensor, weight: Tensor) -> None:
        """Sets m [D], A [D, k] and the weights of the code in M [k, d]; b and the others are 0."""
        self.get_buffer("centre").copy_(centre)
        self.get_buffer("axes").copy_(axes)
        _set_mix(self.mix, weight, torch.zeros(len(weight)))

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, d] and [B, C] to [B, D]."""
        components = self.mix(with_context(z, context))
        with torch.autocast(z.device.type, enabled=False):
            return functional.linear(components, self.get_buffer("axes"), self.get_buffer("centre"))


def encoder_path(kind: Linear, sizes: Sizes, features: int, last: nn.Module) -> nn.Module | None:
    """The linear path of an encoder, or None; `last`, the last of the other layers, becomes 0."""
    if kind == "none":
        return None
    _set_zero(last)
    if kind == "random":
        return RandomPath(sizes.pixels + sizes.context, features)
    components = min(sizes.latent, sizes.pixels)
    return PrincipalEncoder(sizes.pixels, components, sizes.context, features)


def decoder_path(kind: Linear, sizes: Sizes, outputs: int, last: nn.Module) -> nn.Module | None:
    """The linear path of a decoder, or None; `last`, the last of the other layers, becomes 0."""
    if kind == "none":
        return None
    _set_zero(last)
    if kind == "random":
        return RandomPath(sizes.latent + sizes.context, outputs)
    components = min(sizes.latent, sizes.pixels)
    return PrincipalDecoder(sizes.latent, sizes.context, components, outputs)


def _set_zero(layer: nn.Module) -> None:
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def _set_mix(mix: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        mix.weight.zero_()
        mix.weight[:, : weight.shape[1]] = weight
        mix.bias.copy_(bias)

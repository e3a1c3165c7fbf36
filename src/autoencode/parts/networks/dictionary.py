"""A linear encoder and a linear decoder for sparse codes: a learned dictionary of directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError
from autoencode.maths import widen


class Dictionary(Network):
    """One linear layer in the encoder and one in the decoder, for sparse codes.

    Features are h = W (x − m) / s + b and outputs m + s (Σⱼ zⱼ dⱼ + c). The mean m and the scale
    s, the root mean squared distance from m, are those of the training examples and stay fixed, so
    that learning rates and codes do not depend on the units of the data. Before training, and in a
    decoder whose outputs are not the mean of p(x|z) itself, m is 0 and s is 1. b and c begin at 0
    and are learned. A bias that encoder and decoder share, as in the paper, would give the same
    functions of x, because b absorbs the difference.

    unit: each direction dⱼ is divided by its norm in every pass. It has norm 1 at any step and in
        any precision, and its gradient has no component along itself.
    tied: W begins as the directions of the decoder.

    Source: [gao2024], section 2 and appendix A.

    Raises:
        RecipeError: the model is conditioned on labels or vectors.
    """

    name = "dictionary"

    def __init__(self, unit: bool = True, tied: bool = True) -> None:
        self.unit, self.tied = unit, tied
        # The weights of the last encoder, from which a decoder begins.
        self.started: Tensor | None = None

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        """x [B, *X] -> [B, features]."""
        if sizes.context:
            raise RecipeError(
                'Network "dictionary" cannot be conditioned on labels or vectors',
                "Use another network: --set network=mlp.",
            )
        encoder = DictionaryEncoder(sizes, features)
        self.started = encoder.weight.data
        return encoder

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        """z [B, *Z] -> [B, channels, *X]."""
        decoder = DictionaryDecoder(sizes, channels, self.unit)
        start = self.started
        if self.tied and start is not None and start.shape == decoder.weight.shape:
            decoder.weight.data.copy_(start)
        return decoder


class DictionaryEncoder(nn.Module):
    """Encoder network: h = W (x − m) / s + b, in float32.

    weight: W, [features, values].   bias: b, [features].   center, scale: m, [values], and s, [].
    """

    center: Tensor
    scale: Tensor

    def __init__(self, sizes: Sizes, features: int) -> None:
        super().__init__()
        self.shape = sizes.x
        self.weight = nn.Parameter(_directions(features, sizes.pixels))
        self.bias = nn.Parameter(torch.zeros(features))
        _register_units(self, sizes.pixels)

    def start_at(self, examples: Tensor) -> None:
        """Sets m and s by examples [N, *X]."""
        _set_units(self, examples)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        with torch.autocast(x.device.type, enabled=False):
            x = (widen(x).flatten(1) - self.center) / self.scale
            return functional.linear(x, self.weight, self.bias)


class DictionaryDecoder(nn.Module):
    """Decoder network: m + s (Σⱼ zⱼ dⱼ + c), in float32.

    weight: vⱼ, [d, channels · values]; dⱼ is vⱼ / ‖vⱼ‖, or vⱼ itself if not `unit`.
    bias: c, [channels · values].   center, scale: m, [channels · values], and s, [].
    """

    center: Tensor
    scale: Tensor

    def __init__(self, sizes: Sizes, channels: int, unit: bool) -> None:
        super().__init__()
        self.shape, self.unit = (channels, *sizes.x), unit
        outputs = channels * sizes.pixels
        self.weight = nn.Parameter(_directions(sizes.latent, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        _register_units(self, outputs)

    @property
    def directions(self) -> Tensor:
        """dⱼ, [d, channels · values]."""
        return self.weight / self.weight.norm(dim=1, keepdim=True) if self.unit else self.weight

    def start_at(self, examples: Tensor) -> None:
        """Sets m and s by examples of the outputs, [N, channels, *X]."""
        _set_units(self, examples)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        with torch.autocast(z.device.type, enabled=False):
            z = widen(z).flatten(1)
            if self.unit:
                # Equal to a product with `directions`, without a normalised copy of all weights.
                z = z / self.weight.norm(dim=1)
            out = self.center + self.scale * (z @ self.weight + self.bias)
        return out.reshape(-1, *self.shape)


def _directions(number: int, values: int) -> Tensor:
    """Random directions of norm about 1, [number, values]."""
    return torch.empty(number, values).normal_(std=1 / math.sqrt(values))


def _register_units(module: nn.Module, values: int) -> None:
    module.register_buffer("center", torch.zeros(values))
    module.register_buffer("scale", torch.ones(()))


def _set_units(module: DictionaryEncoder | DictionaryDecoder, examples: Tensor) -> None:
    rows = examples.flatten(1).double()
    mean = rows.mean(0)
    scale = (rows - mean).square().sum(1).mean().sqrt()
    module.center.copy_(mean)
    module.scale.copy_(scale if scale > 0 else torch.ones(()))

"""A linear encoder and a linear decoder for sparse codes: a learned dictionary of directions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Network, Sizes
from autoencode.errors import RecipeError
from autoencode.maths import decode_sparse, encode_sparse, widen

# The number of values of an example at which weights are in units of the directions themselves.
VALUES_OF_UNIT = 128


class Dictionary(Network):
    """One linear layer in the encoder and one in the decoder, for sparse codes.

    Features are h = W (x − m) / s + b and outputs m + s (Σⱼ zⱼ dⱼ + c). The mean m and the scale
    s, the root mean squared distance from m, are those of the training examples and stay fixed, so
    that learning rates and codes do not depend on the units of the data. Before training, and in a
    decoder whose outputs are not the mean of p(x|z) itself, m is 0 and s is 1. b and c begin at 0
    and are learned. A bias that encoder and decoder share, as in the paper, would give the same
    functions of x, because b absorbs the difference. The directions begin at those of training
    examples: each is a sum of a few of the directions that are to be found.

    Weights and biases are stored in units of √(128 / D) for examples of D values. The values of a
    unit vector are as small as 1 / √D, and an optimiser that changes each by the learning rate
    turns it by an angle that grows with √D; in these units, one learning rate fits any D.

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

    weight, bias: W, [features, values], and b, [features], divided by `gain`.
    center, scale: m, [values], and s, [].
    """

    center: Tensor
    scale: Tensor

    def __init__(self, sizes: Sizes, features: int) -> None:
        super().__init__()
        self.shape, self.gain = sizes.x, _gain(sizes.pixels)
        self.weight = nn.Parameter(_directions(features, sizes.pixels))
        self.bias = nn.Parameter(torch.zeros(features))
        _register_units(self, sizes.pixels)

    def start_at(self, examples: Tensor) -> None:
        """Sets m, s and the directions of W by examples [N, *X]."""
        _start_at(self, examples)

    @torch.no_grad()
    def restart(self, units: Tensor, directions: Tensor, like: Tensor) -> list[nn.Parameter]:
        """Lets units [n] begin anew at directions of norm 1, [n, values]; returns what changed.

        like: which units they resemble in the length of their weights and their bias, [features].
        Inputs beyond the values, which say what is missing, get no weight.
        """
        more = self.weight.shape[1] - directions.shape[1]
        rows = functional.pad(directions.to(self.weight), (0, more))
        self.weight[units] = rows * self.weight[like].norm(dim=1).mean()
        self.bias[units] = self.bias[like].mean()
        return [self.weight, self.bias]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *X] to [B, features]."""
        with torch.autocast(x.device.type, enabled=False):
            x = (widen(x).flatten(1) - self.center) * (self.gain / self.scale)
            product = encode_sparse if self.training else functional.linear
            return product(x, self.weight, self.gain * self.bias)


class DictionaryDecoder(nn.Module):
    """Decoder network: m + s (Σⱼ zⱼ dⱼ + c), in float32.

    weight: vⱼ, [d, channels · values]; dⱼ is vⱼ / ‖vⱼ‖, or vⱼ times `gain` if not `unit`.
    bias: c, [channels · values], divided by `gain`.
    center, scale: m, [channels · values], and s, [].
    """

    center: Tensor
    scale: Tensor

    def __init__(self, sizes: Sizes, channels: int, unit: bool) -> None:
        super().__init__()
        self.shape, self.unit = (channels, *sizes.x), unit
        outputs = channels * sizes.pixels
        self.gain = _gain(outputs)
        self.weight = nn.Parameter(_directions(sizes.latent, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        _register_units(self, outputs)

    @property
    def directions(self) -> Tensor:
        """dⱼ, [d, channels · values]."""
        return (
            self.weight / self.weight.norm(dim=1, keepdim=True)
            if self.unit
            else (self.gain * self.weight)
        )

    def start_at(self, examples: Tensor) -> None:
        """Sets m, s and the directions by examples of the outputs, [N, channels, *X]."""
        _start_at(self, examples)

    @torch.no_grad()
    def restart(self, units: Tensor, directions: Tensor) -> list[nn.Parameter]:
        """Lets units [n] begin anew at directions of norm 1, [n, values]; returns what changed."""
        self.weight[units] = directions.to(self.weight) / self.gain
        return [self.weight]

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """[B, *Z] to [B, channels, *X]."""
        # Gradients of codes are rounded where products are; codes are not.
        half = self.training and torch.is_autocast_enabled(z.device.type)
        precision = torch.get_autocast_dtype(z.device.type) if half else None
        with torch.autocast(z.device.type, enabled=False):
            z = widen(z).flatten(1)
            # Equal to a product with `directions`, without another copy of all weights.
            if not self.unit:
                z = self.gain * z
            if self.training:
                product = decode_sparse(z, self.weight, self.unit, precision)
            else:
                product = (z / self.weight.norm(dim=1) if self.unit else z) @ self.weight
            out = self.center + self.scale * (product + self.gain * self.bias)
        return out.reshape(-1, *self.shape)


def _directions(number: int, values: int) -> Tensor:
    """Random directions of norm about 1, [number, values], divided by the gain."""
    return torch.empty(number, values).normal_(std=1 / math.sqrt(VALUES_OF_UNIT))


def _gain(values: int) -> float:
    return math.sqrt(VALUES_OF_UNIT / values)


def _register_units(module: nn.Module, values: int) -> None:
    module.register_buffer("center", torch.zeros(values))
    module.register_buffer("scale", torch.ones(()))


def _start_at(module: DictionaryEncoder | DictionaryDecoder, examples: Tensor) -> None:
    """Sets m and s by examples, and the weights to the directions of some of them.

    Which ones is decided by the random weights: two modules with equal weights stay alike.
    """
    rows = examples.flatten(1).double()
    mean = rows.mean(0)
    rows = rows - mean
    lengths = rows.norm(dim=1)
    scale = lengths.square().mean().sqrt()
    if scale == 0:
        return
    module.center.copy_(mean)
    module.scale.copy_(scale)
    order = module.weight.detach().flatten()[: len(rows)].argsort()
    chosen = order[lengths[order] > 0][: len(module.weight)]
    directions = rows[chosen] / lengths[chosen, None]
    module.weight.data[: len(chosen)] = (directions / module.gain).to(module.weight)

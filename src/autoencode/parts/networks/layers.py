"""Layers that all networks use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from autoencode.contract import Within

Activation = Literal["relu", "leaky-relu", "silu", "gelu", "elu", "tanh"]
# "batch" normalises each unit or channel over the batch [ioffe2015], "layer" normalises each
# example over its units or feature maps [ba2016].
Norm = Literal["none", "batch", "layer"]
# Probability that a unit is set to 0 in training.
Dropout = Annotated[float, Within(0.0, 0.99)]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
}


def dense(
    widths: Sequence[int],
    activation: Activation,
    dropout: float = 0.0,
    norm: Norm = "none",
    first: type[nn.Linear] = nn.Linear,
) -> nn.Sequential:
    """Linear layers of the given `widths`, each followed by normalisation, activation, dropout.

    first: class of the first layer. A single width gives no layers.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear if layers else first
        layers.append(linear(inputs, outputs))
        layers += unit_norm(norm, outputs)
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def unit_norm(norm: Norm, units: int) -> list[nn.Module]:
    """Normalisation of [B, units]; an empty list for "none"."""
    kinds: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    return [kinds[norm](units)] if norm in kinds else []


def map_norm(norm: Norm, channels: int) -> list[nn.Module]:
    """Normalisation of maps [B, channels, H, W]; an empty list for "none"."""
    if norm == "layer":
        return [nn.GroupNorm(1, channels)]
    return [nn.BatchNorm2d(channels)] if norm == "batch" else []


def with_context(x: Tensor, context: Tensor | None) -> Tensor:
    """Concatenates features [B, F] and context [B, C] to [B, F + C]."""
    return x if context is None else torch.cat([x, context], -1)

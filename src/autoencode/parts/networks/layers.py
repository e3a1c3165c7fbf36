"""Layers that the networks share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from autoencode.contract import Within

Activation = Literal["relu", "leaky-relu", "silu", "gelu", "elu", "tanh"]
# "batch" normalises each unit or channel over the batch [ioffe2015], "layer" each example over its
# units, or over all its maps [ba2016].
Norm = Literal["none", "batch", "layer"]
# The share of units silenced in training.
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
    """Linear layers through `widths`, each followed by (norm,) activation (and dropout).

    The first layer is made by `first`; no layers at all for a single width.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        linear = nn.Linear if layers else first
        layers.append(linear(inputs, outputs))
        layers += normalised(norm, outputs)
        layers.append(ACTIVATIONS[activation]())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def normalised(norm: Norm, units: int) -> list[nn.Module]:
    """What normalises [B, units]; nothing for "none"."""
    kinds: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
    return [kinds[norm](units)] if norm in kinds else []


def normalised_maps(norm: Norm, channels: int) -> list[nn.Module]:
    """What normalises maps [B, channels, H, W]; nothing for "none"."""
    if norm == "layer":
        return [nn.GroupNorm(1, channels)]
    return [nn.BatchNorm2d(channels)] if norm == "batch" else []


def with_context(x: Tensor, context: Tensor | None) -> Tensor:
    """Features [B, F] beside their context [B, C], [B, F + C]."""
    return x if context is None else torch.cat([x, context], -1)

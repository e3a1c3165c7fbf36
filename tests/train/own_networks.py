"""Networks of a user: some draw random numbers or use the batch in ways that cannot be divided."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from autoencode.contract import Network, Sizes

Kind = Literal["plain", "layers", "noise", "dropout", "centred", "ranked", "channels"]


class Own(Network):
    """Two linear layers with something between them."""

    def __init__(self, kind: Kind = "plain"):
        self.kind = kind

    def encoder(self, sizes: Sizes, features: int) -> nn.Module:
        return Half(self.kind, sizes.pixels, (features,))

    def decoder(self, sizes: Sizes, channels: int) -> nn.Module:
        return Half("plain", sizes.latent, (channels, *sizes.x))


class Half(nn.Module):
    def __init__(self, kind, inputs, outputs):
        super().__init__()
        self.kind, self.outputs = kind, outputs
        self.first = nn.Linear(inputs, 24)
        self.last = nn.Linear(24, torch.Size(outputs).numel())
        layers = [nn.BatchNorm1d(24), nn.Dropout(0.2)] if kind == "layers" else []
        self.layers = nn.Sequential(*layers)
        self.channels = nn.Dropout1d(0.3)

    def forward(self, x, context=None):
        h = self.layers(self.first(x.flatten(1)))
        if self.training:
            h = self.between(h)
        return self.last(h.tanh()).reshape(-1, *self.outputs)

    def between(self, h):
        if self.kind == "noise":
            return h + 0.1 * torch.randn_like(h)
        if self.kind == "dropout":
            return functional.dropout(h, 0.2)
        if self.kind == "centred":
            return h - h.mean(0)
        if self.kind == "ranked":
            return h.sort(0).values.gather(0, h.argsort(0).argsort(0).flip(0))
        if self.kind == "channels":
            return self.channels(h.unflatten(1, (6, 4))).flatten(1)
        return h

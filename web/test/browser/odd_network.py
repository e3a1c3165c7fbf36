"""A network with an operation that the page does not have."""

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, sizes, features):
        super().__init__()
        self.layer = nn.Linear(sizes.pixels, features)

    def forward(self, x):
        return self.layer(x.flatten(1))


class Decoder(nn.Module):
    def __init__(self, sizes, channels):
        super().__init__()
        self.shape = (channels, *sizes.x)
        self.layer = nn.Linear(sizes.latent, channels * sizes.pixels)

    def forward(self, z):
        h = torch.fft.irfft(torch.fft.rfft(self.layer(z)), n=self.layer.out_features)
        return h.unflatten(1, self.shape)

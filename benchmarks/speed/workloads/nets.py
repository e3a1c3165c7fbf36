"""The networks, written in plain torch as in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn


def floats(folder: str, part: str = "train") -> torch.Tensor:
    """All images of a part, [N, C, H, W], floats in [0, 1]."""
    x = torch.from_numpy(np.load(Path(folder) / f"{part}.npy")).float() / 255
    return x if x.dim() == 4 else x.unsqueeze(1)


def course_net(latent: int) -> nn.Sequential:
    """784-512-d-512-784."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 512),
        nn.ReLU(),
        nn.Linear(512, latent),
        nn.Linear(latent, 512),
        nn.ReLU(),
        nn.Linear(512, 784),
        nn.Sigmoid(),
    )


def conv_encoder(shape: tuple[int, int, int], latent: int) -> nn.Sequential:
    """Strided convolutions down to 7×7 or 8×8, then 256 units and the code; batch normalisation."""
    channels, side = shape[0], shape[1]
    layers: list[nn.Module] = []
    width = 8
    while side > 8:
        layers += [
            nn.Conv2d(channels, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        channels, width, side = width, width * 2, side // 2
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(channels * side * side, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, latent),
    )


def conv_decoder(shape: tuple[int, int, int], latent: int) -> nn.Sequential:
    """The mirror image of the encoder, with a sigmoid."""
    side, width = shape[1], 4
    while side > 8:
        side, width = side // 2, width * 2
    layers: list[nn.Module] = [
        nn.Linear(latent, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, width * side * side),
        nn.BatchNorm1d(width * side * side),
        nn.ReLU(),
        nn.Unflatten(1, (width, side, side)),
    ]
    while width > 8:
        layers += [
            nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(),
        ]
        width //= 2
    last = nn.ConvTranspose2d(width, shape[0], 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(*layers, last, nn.Sigmoid())


def conv_net(shape: tuple[int, int, int], latent: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(conv_encoder(shape, latent), conv_decoder(shape, latent))


class VAE(nn.Module):
    """784-512-(d, d) and d-512-784, Bernoulli likelihood, standard normal prior."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 2 * latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 512), nn.ReLU(), nn.Linear(512, 784), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The negative ELBO, in nats per image."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        y = self.decoder(z)
        pixels = nn.functional.binary_cross_entropy(y, x.flatten(1), reduction="sum")
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return (pixels + kl) / len(x)

"""An autoencoder with a 2-D code for MNIST in plain PyTorch: python autoencoder.py [STEPS]"""

import sys

import torch
from torch import nn

import autoencode as ae  # loads MNIST, nothing else


class Autoencoder(nn.Module):
    """The network of the recipe "ae": images (N, 28, 28) to codes (N, 2) and back."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 2)
        )
        self.decoder = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, 784), nn.Unflatten(1, (28, 28))
        )

    def forward(self, x):
        """Codes and images; the sigmoid keeps the pixels in [0, 1]."""
        codes = self.encoder(x)
        return codes, torch.sigmoid(self.decoder(codes))


def squared_error(images, x):
    """The squared error of images (N, 28, 28), summed over pixels, averaged over the batch."""
    # It is 784 times nn.functional.mse_loss(images, x), which also averages over the pixels.
    return (images - x).square().flatten(1).sum(1).mean()


def train(model, images, steps, batch_size=200, lr=1e-3):
    """Train with Adam; `images` (N, 28, 28) have values in [0, 1]."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for step in range(steps):
        x = images[torch.randint(len(images), (batch_size,))]
        loss = squared_error(model(x)[1], x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 1000 == 0:
            print(f"step {step}: squared error {loss.item():.2f}")


def main(steps=50_000):
    data = ae.load_data("mnist")
    model, x = Autoencoder(), data.test.x / 255
    train(model, data.train.x / 255, steps)
    with torch.no_grad():
        print(f"test: squared error {squared_error(model(x)[1], x):.2f} per image")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""A VAE with a 2-D code for MNIST in plain PyTorch: python vae.py [STEPS]"""

import sys

import torch
from torch import nn

import autoencode as ae  # loads MNIST, nothing else


class VAE(nn.Module):
    """The network of the recipe "vae": images (N, 28, 28) to codes (N, 2) and back."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 4)
        )
        self.decoder = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, 784), nn.Unflatten(1, (28, 28))
        )

    def forward(self, x):
        """Codes, the means of the posterior, and images."""
        mean, _ = self.encoder(x).chunk(2, 1)
        return mean, torch.sigmoid(self.decoder(mean))

    def loss(self, x):
        """-ln p(x|z) + KL(q(z|x) || p(z)) in nats, averaged over the batch."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        # Summed over pixels, as a mean over pixels would make the KL term weigh 784 times as much.
        each = nn.functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none")
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return (each.flatten(1).sum(1) + kl).mean()


def train(model, images, steps, batch_size=200, lr=1e-3):
    """Train with Adam; `images` (N, 28, 28) have values in [0, 1]."""
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for step in range(steps):
        loss = model.loss(images[torch.randint(len(images), (batch_size,))])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 1000 == 0:
            print(f"step {step}: loss {loss.item():.2f} nats")


def main(steps=50_000):
    data = ae.load_data("mnist")
    model, x = VAE(), data.test.x / 255
    train(model, data.train.x / 255, steps)
    with torch.no_grad():
        error = (model(x)[1] - x).square().flatten(1).sum(1).mean()
        print(f"test: loss {model.loss(x):.2f} nats, squared error {error:.2f} per image")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

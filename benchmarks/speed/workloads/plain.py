"""Plain loops in torch, without a library for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from speed.workloads.nets import VAE, conv_net, course_net, floats
from speed.workloads.steps import Steps

BATCH = 200


class ImageSet(Dataset):
    """Items are PIL images, converted to tensors as in torchvision, and labels.

    torchvision is not used, because installing it replaces torch. The operations are those of
    `datasets.MNIST` and `transforms.ToTensor`, which take a sixth longer than this class.
    """

    def __init__(self, folder: str, parts: tuple[str, ...] = ("train",)) -> None:
        images = [np.load(Path(folder) / f"{part}.npy") for part in parts]
        labels = [np.load(Path(folder) / f"{part}-labels.npy") for part in parts]
        self.images = torch.from_numpy(np.concatenate(images))
        self.labels = torch.from_numpy(np.concatenate(labels))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True))
        pixels = pixels.view(image.size[1], image.size[0], 1).permute(2, 0, 1).contiguous()
        return pixels.to(torch.float32).div(255), int(self.labels[index])


def squared(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return nn.functional.mse_loss(model(x).flatten(1), x.flatten(1))


def step(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def notebook(folder: str, latent: int) -> Steps:
    """A Dataset of PIL images, a DataLoader, Adam."""
    model = course_net(latent)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    images = ImageSet(folder)

    def steps() -> Iterator[None]:
        while True:
            for x, _ in DataLoader(images, batch_size=BATCH, shuffle=True, drop_last=True):
                step(optimizer, squared(model, x))
                yield

    return Steps(steps())


def tensor(folder: str, latent: int) -> Steps:
    """All images in memory as one float tensor, Adam."""
    return _in_memory(course_net(latent), squared, floats(folder))


def prepared_tensor(folder: str, latent: int) -> Steps:
    """The same loop in a process with the memory settings of `autoencode`."""
    from autoencode.cli.process import prepare

    prepare()
    return tensor(folder, latent)


def conv(folder: str, latent: int) -> Steps:
    """The convolutional network in the loop of `tensor`."""
    x = floats(folder)
    _, *shape = x.shape
    channels, height, width = shape
    return _in_memory(conv_net((channels, height, width), latent), squared, x)


def vae(folder: str, latent: int) -> Steps:
    """The VAE in the loop of `tensor`."""
    return _in_memory(VAE(latent), lambda model, x: model(x), floats(folder))


def _in_memory(
    model: nn.Module, loss: Callable[[nn.Module, torch.Tensor], torch.Tensor], x: torch.Tensor
) -> Steps:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def steps() -> Iterator[None]:
        while True:
            for rows in torch.randperm(len(x)).split(BATCH):
                if len(rows) == BATCH:
                    step(optimizer, loss(model, x[rows]))
                    yield

    return Steps(steps())


def embed_items(folder: str, latent: int) -> Steps:
    """Codes of all training and validation images, from a Dataset of PIL images."""
    images = ImageSet(folder, ("train", "validation"))
    return _embedding(images, latent)


def embed_tensor(folder: str, latent: int) -> Steps:
    """Codes of the same images from a float tensor in memory."""
    x = torch.cat([floats(folder), floats(folder, "validation")])
    return _embedding(TensorDataset(x, torch.zeros(len(x))), latent)


def _embedding(images: Dataset, latent: int) -> Steps:
    encoder = course_net(latent)[:4].eval()

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad():
                torch.cat([encoder(x) for x, _ in DataLoader(images, batch_size=BATCH)])
            yield

    return Steps(steps())


def generate(latent: int, images: int) -> Steps:
    """Images from random codes, in batches."""
    decoder = VAE(latent).decoder.eval()

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad():
                torch.cat([decoder(torch.randn(BATCH, latent)) for _ in range(images // BATCH)])
            yield

    return Steps(steps())

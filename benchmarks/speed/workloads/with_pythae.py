"""Trainer and models of Pythae, used as in its documentation."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from typing import Any

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, VAE, VQVAE, AEConfig, VAEConfig, VQVAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_AE_MNIST
from pythae.samplers import NormalSampler
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import nn

from speed.workloads.nets import floats
from speed.workloads.steps import Steps, ThreadedTrainer

GREY = (1, 28, 28)


class StepCallback(TrainingCallback):
    """Calls a function after each step."""

    def __init__(self, on_step: Any) -> None:
        self.on_step = on_step

    def on_train_step_end(self, training_config: Any, **kwargs: Any) -> None:
        """Called by Pythae."""
        self.on_step()


def _training(model: Any, x: torch.Tensor) -> ThreadedTrainer:
    def train(on_step: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=10**6,
                learning_rate=1e-3,
                per_device_train_batch_size=200,
            )
            images = BaseDataset(x, torch.zeros(len(x)))
            BaseTrainer(model, images, None, config, [StepCallback(on_step)]).train()

    return ThreadedTrainer(train)


def ae(folder: str, latent: int) -> ThreadedTrainer:
    """The autoencoder with its default networks, 784-512-d-512-784."""
    return _training(AE(AEConfig(input_dim=GREY, latent_dim=latent)), floats(folder))


def vae(folder: str, latent: int) -> ThreadedTrainer:
    """The VAE with its default networks and a Bernoulli likelihood."""
    return _training(_vae(latent), floats(folder))


def vq_vae(folder: str, latent: int, dim: int, entries: int) -> ThreadedTrainer:
    """The VQ-VAE with dense layers of 512; its codebook is learned by moving averages."""
    config = VQVAEConfig(input_dim=GREY, latent_dim=latent, num_embeddings=entries, use_ema=True)
    return _training(VQVAE(config, _Groups(latent, dim), _FromGroups(latent)), floats(folder))


def conv(folder: str, latent: int) -> ThreadedTrainer:
    """The convolutional autoencoder for MNIST."""
    return _training(_conv(latent), floats(folder))


def conv_error(folder: str, latent: int, seconds: float, images: int) -> dict[str, Any]:
    """Squared error of the convolutional autoencoder on test images after a training time."""
    model = _conv(latent)
    training, steps = _training(model, floats(folder)), 0
    training.advance(1)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        training.advance(1)
        steps += 1
    elapsed = time.perf_counter() - start
    model.eval()
    x = floats(folder, "test")[:images]
    with torch.no_grad():
        y = torch.cat([model.reconstruct(each) for each in x.split(100)])
    error = (x - y).square().flatten(1).sum(1).mean().item()
    parameters = sum(p.numel() for p in model.parameters())
    return {"error": error, "steps": steps, "seconds": elapsed, "parameters": parameters}


def embedding(folder: str, latent: int) -> Steps:
    """`embed` of all training and validation images, in batches of 200."""
    model = AE(AEConfig(input_dim=GREY, latent_dim=latent)).eval()
    x = torch.cat([floats(folder), floats(folder, "validation")])

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad():
                torch.cat([model.embed(each) for each in x.split(200)])
            yield

    return Steps(steps())


def generating(latent: int, images: int) -> Steps:
    """`NormalSampler` with its default batch size."""
    sampler = NormalSampler(_vae(latent).eval())

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad():
                sampler.sample(images)
            yield

    return Steps(steps())


def likelihood(folder: str, latent: int, images: int, samples: int) -> Steps:
    """`get_nll` of test images with its default batch size."""
    model = _vae(latent).eval()
    x = floats(folder, "test")[:images].bernoulli()

    def steps() -> Iterator[None]:
        while True:
            with torch.no_grad():
                model.get_nll(x, n_samples=samples)
            yield

    return Steps(steps())


def _vae(latent: int) -> VAE:
    return VAE(VAEConfig(input_dim=GREY, latent_dim=latent, reconstruction_loss="bce"))


def _conv(latent: int) -> AE:
    config = AEConfig(input_dim=GREY, latent_dim=latent)
    return AE(config, Encoder_Conv_AE_MNIST(config), Decoder_Conv_AE_MNIST(config))


class _Groups(BaseEncoder):
    """784-512 and groups of latent dimensions, as the feature map that is quantised."""

    def __init__(self, latent: int, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(),
            nn.Linear(512, latent),
        )

    def forward(self, x: torch.Tensor) -> ModelOutput:
        groups = self.body(x).reshape(len(x), -1, self.dim).transpose(1, 2)
        return ModelOutput(embedding=groups.unsqueeze(-1))


class _FromGroups(BaseDecoder):
    """From the groups to 512-784."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(latent, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(),
            nn.Linear(512, 784),
            nn.Sigmoid(),
        )

    def forward(self, z: torch.Tensor) -> ModelOutput:
        images = self.body(z.flatten(1)).reshape(len(z), *GREY)
        return ModelOutput(reconstruction=images)

"""Basic autoencoders and VAEs."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec
from autoencode.models.recipes.base import AE, NORMALISED, VAE


def first() -> Iterable[Recipe]:
    """Autoencoders and VAEs, shallow and deep, dense and convolutional."""
    yield AE.but(
        name="ae",
        about="One hidden layer of 512 units in encoder and decoder.",
    )
    yield AE.but(
        name="ae-shallow",
        about="No hidden layer, and a code without negative values.",
        network=Spec("mlp", {"hidden": ()}),
        bottleneck=Spec("rectified"),
        papers=("rumelhart1986",),
    )
    yield AE.but(
        name="ae-linear",
        about="Linear encoder and decoder; the optimum is the subspace of PCA.",
        network=Spec("mlp", {"hidden": ()}),
        likelihood=Spec("gaussian", {"mean": "identity"}),
        training={"lr": 1e-2},
        papers=("baldi1989",),
    )
    yield AE.but(
        name="ae-deep",
        about="Two hidden layers of 1,024 units with batch normalisation.",
        network=Spec("mlp", {"hidden": (1024, 1024), "activation": "silu", "norm": "batch"}),
        training={"steps": 10_000, "weight_decay": 0.05, **NORMALISED},
        papers=("hinton2006", "ioffe2015"),
    )
    yield AE.but(
        name="ae-funnel",
        about="Hidden layers that narrow towards the code (1000, 500, 250).",
        network=Spec("mlp", {"hidden": (1000, 500, 250), "activation": "silu"}),
        training={"steps": 16_500, "warmup": 300, "augment": 0.3},
        papers=("hinton2006",),
    )
    yield AE.but(
        name="ae-dropout",
        about="Dense layers with dropout and leaky ReLU.",
        network=Spec("mlp", {"hidden": (512, 256), "activation": "leaky-relu", "dropout": 0.1}),
        papers=("srivastava2014", "hinton2006"),
    )
    yield AE.but(
        name="conv-ae",
        about="Convolutional encoder and decoder, for images of any size.",
        network=Spec("conv"),
        training=NORMALISED,
        papers=("masci2011", "ioffe2015"),
    )
    yield VAE.but(
        name="vae",
        about="Variational autoencoder: a normal posterior and a standard normal prior.",
    )
    yield VAE.but(
        name="conv-vae",
        about="The VAE with convolutions, for images of any size.",
        network=Spec("conv"),
        training=NORMALISED,
    )

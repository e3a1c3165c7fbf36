"""The first models of a course: what comes back, and what can be drawn."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec
from autoencode.models.recipes.base import AE, NORMALISED, VAE


def first() -> Iterable[Recipe]:
    """Autoencoders and VAEs, shallow and deep, dense and convolutional."""
    yield AE.but(
        name="ae",
        about="One hidden layer of 512 units on each side: the first autoencoder to try.",
    )
    yield AE.but(
        name="ae-shallow",
        about="One layer on each side and a rectified code: how little is enough?",
        network=Spec("mlp", {"hidden": ()}),
        bottleneck=Spec("rectified"),
        papers=("rumelhart1986",),
    )
    yield AE.but(
        name="ae-linear",
        about="No nonlinearity at all: learns the plane of PCA, the reference for all others.",
        network=Spec("mlp", {"hidden": ()}),
        likelihood=Spec("gaussian", {"mean": "identity"}),
        training={"lr": 1e-2},
        papers=("baldi1989",),
    )
    yield AE.but(
        name="ae-deep",
        about="Two wide, normalised layers on each side: the lowest error of the dense models.",
        network=Spec("mlp", {"hidden": (1024, 1024), "activation": "silu", "norm": "batch"}),
        training={"steps": 10_000, "weight_decay": 0.05, **NORMALISED},
        papers=("hinton2006", "ioffe2015"),
    )
    yield AE.but(
        name="ae-funnel",
        about="Layers that narrow towards the code, without normalisation: low error on a plane.",
        network=Spec("mlp", {"hidden": (1000, 500, 250), "activation": "silu"}),
        training={"steps": 16_500, "warmup": 300, "augment": 0.3},
        papers=("hinton2006",),
    )
    yield AE.but(
        name="ae-dropout",
        about="Dense layers with dropout and leaky rectifiers: does noise inside help?",
        network=Spec("mlp", {"hidden": (512, 256), "activation": "leaky-relu", "dropout": 0.1}),
        papers=("srivastava2014", "hinton2006"),
    )
    yield AE.but(
        name="conv-ae",
        about="Convolutions for images of any size: fewer parameters, lower error.",
        network=Spec("conv"),
        training=NORMALISED,
        papers=("masci2011", "ioffe2015"),
    )
    yield VAE.but(
        name="vae",
        about="Codes become small clouds under one prior: random codes decode to images.",
    )
    yield VAE.but(
        name="conv-vae",
        about="The VAE with convolutions, for images of any size.",
        network=Spec("conv"),
        training=NORMALISED,
    )

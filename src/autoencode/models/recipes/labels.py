"""Conditional and semi-supervised models."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec
from autoencode.models.recipes.base import NORMALISED, VAE


def with_labels() -> Iterable[Recipe]:
    """Conditional and semi-supervised VAEs."""
    yield VAE.but(
        name="cvae",
        about="Conditional VAE: encoder and decoder also receive the label.",
        latent=6,
        network=Spec("mlp", {"hidden": (512, 512), "activation": "silu", "norm": "layer"}),
        context=Spec("labels"),
        training=NORMALISED,
        papers=("sohn2015", "kingma2014", "ba2016"),
    )
    few = VAE.but(
        network=Spec("mlp", {"norm": "batch"}),
        context=Spec("labels"),
        training={"labelled": 0.1, "steps": 20_000, **NORMALISED},
        papers=("kingma2014semi",),
    )
    yield few.but(
        name="m2",
        about="M2: a VAE with the class as a latent variable, for few labelled examples.",
        latent=50,
        model=Spec("semi-supervised"),
        network=Spec("mlp", {"hidden": (400, 400), "activation": "silu", "norm": "layer"}),
        # Each image of a batch with unlabelled ones is passed through the model once per class.
        training={**few.training, "batch_size": 100, "lr": 2e-3, "warmup": 200, "steps": 8_000},
    )
    yield few.but(
        name="m1-m2",
        about="M1+M2: m2 on the codes of a VAE, trained jointly.",
        latent=10,
        model=Spec("m1-m2"),
        network=Spec("mlp", {"hidden": (512, 512), "activation": "silu", "norm": "layer"}),
        training={**few.training, "steps": 12_000},
    )

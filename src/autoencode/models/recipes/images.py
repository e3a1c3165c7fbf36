"""Recipes for images only."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import AE, NORMALISED, VAE


def for_images() -> Iterable[Recipe]:
    """Models with networks, critics, likelihoods and corruptions for images."""
    yield VAE.but(
        name="resnet-vae",
        about="The VAE with residual convolutional networks.",
        latent=16,
        network=Spec("resnet"),
        training=NORMALISED,
        papers=("kingma2014", "he2016", "ioffe2015"),
    )
    yield VAE.but(
        name="vae-gan",
        about="Reconstruction error in the features of an image critic, plus an adversarial loss.",
        latent=16,
        network=Spec("conv"),
        likelihood=Spec("gaussian"),
        terms={"kl": Weighted("kl"), "image-critic": Weighted("image-critic")},
        training=NORMALISED,
        papers=("larsen2016", "kingma2014"),
    )
    yield VAE.but(
        name="ms-ssim-vae",
        about="A VAE whose reconstruction error is structural similarity (MS-SSIM).",
        latent=16,
        network=Spec("conv"),
        likelihood=Spec("ms-ssim"),
        training=NORMALISED,
        papers=("snell2017", "wang2003", "kingma2014"),
    )
    yield AE.but(
        name="masked-ae",
        about="A masked autoencoder: transformers restore an image from a quarter of its patches.",
        latent=32,
        model=Spec("masked"),
        network=Spec("transformer", {"code": "map"}),
        corruption=Spec("masked-patches"),
        training={"lr": 1e-3, "warmup": 500},
        papers=("he2022", "dosovitskiy2021", "vaswani2017"),
    )

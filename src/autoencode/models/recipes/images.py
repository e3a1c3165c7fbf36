"""Networks, critics and likelihoods that know what an image is."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import NORMALISED, VAE


def for_images() -> Iterable[Recipe]:
    """VAEs for pictures."""
    yield VAE.but(
        name="resnet-vae",
        about="The VAE with residual convolutions: lower error than conv-vae, at thrice the cost.",
        latent=16,
        network=Spec("resnet"),
        training=NORMALISED,
        papers=("kingma2014", "he2016", "ioffe2015"),
    )
    yield VAE.but(
        name="vae-gan",
        about="A critic learns what makes an image look real: for samples that are sharp.",
        latent=16,
        network=Spec("conv"),
        likelihood=Spec("gaussian"),
        terms={"kl": Weighted("kl"), "image-critic": Weighted("image-critic")},
        training=NORMALISED,
        papers=("larsen2016", "kingma2014"),
    )
    yield VAE.but(
        name="ms-ssim-vae",
        about="Compares structure on several scales, not pixels: for images that people look at.",
        latent=16,
        network=Spec("conv"),
        likelihood=Spec("ms-ssim"),
        training=NORMALISED,
        papers=("snell2017", "wang2003", "kingma2014"),
    )

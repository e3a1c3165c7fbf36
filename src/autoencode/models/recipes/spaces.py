"""Other priors, other posteriors, other spaces, and samplers fitted after training."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import AE, NORMALISED, VAE


def priors_and_posteriors() -> Iterable[Recipe]:
    """VAEs of another prior, posterior or space."""
    yield VAE.but(
        name="uniform-vae",
        about="Codes in a box under a uniform prior: every place of the box is as likely.",
        bottleneck=Spec("bounded"),
        prior=Spec("uniform"),
        papers=("kingma2014",),
    )
    yield VAE.but(
        name="mog-vae",
        about="A learned mixture of normals as prior: finds clusters without labels.",
        latent=10,
        network=Spec("mlp", {"hidden": (500, 500, 1000)}),
        prior=Spec("mixture", {"after": 4000}),
        terms={**VAE.terms, "kl": Weighted("cluster-kl")},
        schedules={"terms.kl.weight": (0.3, 4000, 4000)},
        training={"steps": 10_000},
        papers=("jiang2017", "mcconville2021", "maaten2008"),
    )
    yield VAE.but(
        name="vamp-vae",
        about="The prior is the posterior of learned examples: a better likelihood than N(0, I).",
        latent=40,
        prior=Spec("vamp"),
        papers=("tomczak2018",),
    )
    yield VAE.but(
        name="flow-vae",
        about="A flow learns the prior: any density over the codes, for the best likelihood.",
        latent=16,
        prior=Spec("flow"),
        papers=("durkan2019",),
    )
    yield VAE.but(
        name="sphere-vae",
        about="Codes on a sphere, where no place is the middle: for directions, not lengths.",
        latent=3,
        bottleneck=Spec("sphere"),
        prior=Spec("sphere-uniform"),
        papers=("davidson2018", "decao2020"),
    )
    yield VAE.but(
        name="planar-vae",
        about="The posterior is bent by planar flows: closer to the true one than a normal.",
        latent=16,
        bottleneck=Spec("planar"),
        papers=("rezende2015",),
    )
    yield VAE.but(
        name="iaf-vae",
        about="The posterior is bent by autoregressive flows: the most flexible one here.",
        latent=16,
        bottleneck=Spec("inverse-autoregressive"),
        papers=("kingma2016",),
    )
    yield VAE.but(
        name="ladder-vae",
        about="Layers of codes, coarse above fine, merged on the way down: a better likelihood.",
        latent=48,
        model=Spec("ladder"),
        network=Spec("mlp", {"norm": "batch"}),
        schedules={"terms.kl.weight": (0.0, 5000)},
        training=NORMALISED,
        papers=("sonderby2016",),
    )


def discrete_and_fitted() -> Iterable[Recipe]:
    """Discrete codes, and models with a sampler fitted to their codes."""
    discrete = AE.but(
        latent=64,
        network=Spec("mlp", {"norm": "batch"}),
        sampler=Spec("autoregressive"),
        training=NORMALISED,
    )
    yield discrete.but(
        name="vq-vae",
        about="Codes are entries of a learned book: for short codes, drawn one index at a time.",
        bottleneck=Spec("vq"),
        papers=("oord2017", "germain2015"),
    )
    yield discrete.but(
        name="conv-vq-vae",
        about="The VQ-VAE with convolutions: a map of entries, each for its part of the image.",
        latent=8,
        network=Spec("conv", {"code": "map"}),
        bottleneck=Spec("vq", {"dim": 8}),
        papers=("oord2017", "germain2015"),
    )
    yield discrete.but(
        name="fsq",
        about="Each number is rounded to a few levels: discrete codes with no book to learn.",
        bottleneck=Spec("fsq"),
        papers=("mentzer2024", "germain2015"),
    )
    yield AE.but(
        name="ae-mixture",
        about="A plain autoencoder that generates, by a mixture fitted to its codes.",
        latent=16,
        sampler=Spec("mixture"),
        papers=("ghosh2020",),
    )
    yield VAE.but(
        name="vae-mixture",
        about="A VAE that draws from where its codes really are.",
        latent=16,
        sampler=Spec("mixture"),
        papers=("kingma2014", "ghosh2020"),
    )
    yield VAE.but(
        name="two-stage-vae",
        about="A second VAE learns where the codes of the first one lie, to draw from there.",
        latent=16,
        likelihood=Spec("gaussian-learned"),
        sampler=Spec("two-stage"),
        papers=("dai2019",),
    )

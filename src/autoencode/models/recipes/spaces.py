"""Recipes with other priors, posteriors, latent spaces or samplers."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import AE, NORMALISED, VAE


def priors_and_posteriors() -> Iterable[Recipe]:
    """VAEs with other priors, posteriors or latent spaces."""
    yield VAE.but(
        name="uniform-vae",
        about="A VAE with codes in a box and a uniform prior.",
        bottleneck=Spec("bounded"),
        prior=Spec("uniform"),
        papers=("kingma2014",),
    )
    yield VAE.but(
        name="mog-vae",
        about="A VAE with a learned mixture of normals as prior, for clustering (VaDE).",
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
        about="A VAE whose prior is a mixture of posteriors of learned pseudo-inputs.",
        latent=40,
        prior=Spec("vamp"),
        papers=("tomczak2018",),
    )
    yield VAE.but(
        name="flow-vae",
        about="A VAE whose prior is a normalising flow.",
        latent=16,
        prior=Spec("flow"),
        papers=("durkan2019",),
    )
    yield VAE.but(
        name="sphere-vae",
        about="A VAE with codes on the unit sphere and a uniform prior.",
        latent=3,
        bottleneck=Spec("sphere"),
        prior=Spec("sphere-uniform"),
        papers=("davidson2018", "decao2020"),
    )
    yield VAE.but(
        name="planar-vae",
        about="A VAE whose posterior is transformed by planar flows.",
        latent=16,
        bottleneck=Spec("planar"),
        papers=("rezende2015",),
    )
    yield VAE.but(
        name="iaf-vae",
        about="A VAE whose posterior is transformed by inverse autoregressive flows.",
        latent=16,
        bottleneck=Spec("inverse-autoregressive"),
        papers=("kingma2016",),
    )
    yield VAE.but(
        name="ladder-vae",
        about="A hierarchical VAE: each level of codes is the prior of the level below.",
        latent=48,
        model=Spec("ladder"),
        network=Spec("mlp", {"norm": "batch"}),
        schedules={"terms.kl.weight": (0.0, 5000)},
        training=NORMALISED,
        papers=("sonderby2016",),
    )
    yield VAE.but(
        name="hierarchical-vae",
        about="A deep hierarchical VAE of images: residual blocks, codes at several resolutions.",
        latent=4,
        model=Spec("hierarchical"),
        network=Spec(
            "resnet",
            {"width": 16, "blocks": 2, "stages": 3, "activation": "silu", "norm": "layer"},
        ),
        training={"lr": 1e-3, "warmup": 300, "batch_size": 64},
        papers=("child2021", "vahdat2020", "sonderby2016"),
    )


def discrete_and_fitted() -> Iterable[Recipe]:
    """Models with discrete codes, and models with a sampler that is fitted to their codes."""
    discrete = AE.but(
        latent=64,
        network=Spec("mlp", {"norm": "batch"}),
        sampler=Spec("autoregressive"),
        training=NORMALISED,
    )
    yield discrete.but(
        name="vq-vae",
        about="Discrete codes from a learned codebook, sampled by an autoregressive model.",
        bottleneck=Spec("vq"),
        papers=("oord2017", "germain2015"),
    )
    yield discrete.but(
        name="conv-vq-vae",
        about="The VQ-VAE with convolutions: one codebook entry per position of a feature map.",
        latent=8,
        network=Spec("conv", {"code": "map"}),
        bottleneck=Spec("vq", {"dim": 8}),
        papers=("oord2017", "germain2015"),
    )
    yield discrete.but(
        name="pq-vae",
        about="The VQ-VAE with a codebook of its own for each group (product quantisation).",
        bottleneck=Spec("vq", {"books": "separate"}),
        papers=("oord2017", "jegou2011", "germain2015"),
    )
    yield discrete.but(
        name="rq-vae",
        about="Each group is a sum of entries: further codebooks quantise the error that is left.",
        latent=32,
        bottleneck=Spec("residual-vq"),
        papers=("lee2022", "zeghidour2021", "germain2015"),
    )
    yield discrete.but(
        name="lfq",
        about="Discrete codes without a codebook: each dimension is its sign (lookup-free).",
        latent=128,
        bottleneck=Spec("lfq"),
        papers=("yu2024", "germain2015"),
    )
    yield discrete.but(
        name="gumbel-vae",
        about="A VAE with categorical codes, trained with Gumbel-softmax samples.",
        bottleneck=Spec("gumbel-softmax"),
        likelihood=Spec("auto"),
        schedules={"bottleneck.temperature": (2.0, 5000)},
        papers=("jang2017", "maddison2017", "ramesh2021", "germain2015"),
    )
    yield discrete.but(
        name="vq-gan",
        about="The convolutional VQ-VAE with a critic of patches and an error in its features.",
        latent=8,
        network=Spec("conv", {"code": "map"}),
        bottleneck=Spec("vq", {"dim": 8}),
        terms={**AE.terms, "patch-critic": Weighted("patch-critic")},
        schedules={"terms.patch-critic.generator": (0.0, 1000, 1000)},
        papers=("esser2021", "oord2017", "isola2017", "germain2015"),
    )
    yield discrete.but(
        name="fsq",
        about="Discrete codes without a codebook: each dimension is rounded to one of 8 levels.",
        bottleneck=Spec("fsq"),
        papers=("mentzer2024", "germain2015"),
    )
    yield AE.but(
        name="ae-mixture",
        about="An autoencoder with a Gaussian mixture fitted to its codes, for sampling.",
        latent=16,
        sampler=Spec("mixture"),
        papers=("ghosh2020",),
    )
    yield VAE.but(
        name="vae-mixture",
        about="A VAE with a Gaussian mixture fitted to its codes, for sampling.",
        latent=16,
        sampler=Spec("mixture"),
        papers=("kingma2014", "ghosh2020"),
    )
    yield VAE.but(
        name="two-stage-vae",
        about="A VAE with a second VAE that is trained on its codes, for sampling.",
        latent=16,
        likelihood=Spec("gaussian-learned"),
        sampler=Spec("two-stage"),
        papers=("dai2019",),
    )

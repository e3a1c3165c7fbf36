"""VAEs and adversarial autoencoders whose news is the objective."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import AE, VAE


def bounds_and_factors() -> Iterable[Recipe]:
    """Other bounds on ln p(x), and rates that ask for independent factors."""
    bound = VAE.but(samples=8, training={"steps": 5_000})
    yield bound.but(
        name="iwae",
        about="Several codes for each image, weighted: a tighter bound, a better likelihood.",
        terms={"bound": Weighted("iwae")},
        papers=("burda2016",),
    )
    yield bound.but(
        name="miwae",
        about="The mean of several importance-weighted bounds: less noise for the encoder.",
        terms={"bound": Weighted("miwae")},
        papers=("rainforth2018",),
    )
    yield bound.but(
        name="piwae",
        about="The decoder follows the tight bound of iwae, the encoder the quieter one of miwae.",
        terms={"bound": Weighted("piwae")},
        papers=("rainforth2018",),
    )
    yield bound.but(
        name="ciwae",
        about="Half the bound of the VAE, half that of iwae: a dial between the two.",
        terms={"bound": Weighted("ciwae")},
        papers=("rainforth2018", "burda2016"),
    )
    yield VAE.but(
        name="beta-vae",
        about="A rate that costs four times as much: independent factors, blurrier images.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("kl", {}, 4.0)},
        papers=("higgins2017",),
    )
    yield VAE.but(
        name="capacity-vae",
        about="Holds the rate at a number of nats that rises in training: you choose the rate.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("capacity", {"capacity": 25.0}, 30.0)},
        schedules={"terms.kl.capacity": (0.0, 10_000)},
        papers=("burgess2018",),
    )
    yield VAE.but(
        name="free-bits-vae",
        about="The first half nat of each number is free: against numbers that die early.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("free-bits")},
        papers=("kingma2016",),
    )
    yield VAE.but(
        name="beta-tcvae",
        about="Charges only what the numbers tell of each other: sharper than beta-vae.",
        latent=10,
        terms={**VAE.terms, "correlation": Weighted("total-correlation", {}, 5.0)},
        papers=("chen2018",),
    )
    yield VAE.but(
        name="factor-vae",
        about="As beta-tcvae, with a critic that measures the dependence.",
        latent=10,
        terms={**VAE.terms, "correlation": Weighted("factor", {}, 10.0)},
        papers=("kim2018",),
    )
    yield VAE.but(
        name="dip-vae-1",
        about="Holds the covariance of the posterior means at the unit matrix: cheap factors.",
        latent=10,
        terms={**VAE.terms, "covariance": Weighted("dip")},
        papers=("kumar2018",),
    )
    yield VAE.but(
        name="dip-vae-2",
        about="As dip-vae-1, for the covariance of the drawn codes.",
        latent=10,
        terms={**VAE.terms, "covariance": Weighted("dip", {"version": 2, "lambda_d": 10.0})},
        papers=("kumar2018",),
    )
    yield VAE.but(
        name="info-vae",
        about="Half the rate, and all codes together matched to the prior: codes stay informative.",
        latent=10,
        terms={
            "reconstruction": Weighted("reconstruction"),
            "kl": Weighted("kl", {}, 0.5),
            "match": Weighted("mmd", {"kernel": "rbf"}, 500.0),
        },
        papers=("zhao2019",),
    )


def matched() -> Iterable[Recipe]:
    """Models whose codes together are matched to the prior."""
    wae = AE.but(latent=10, prior=Spec("normal"))
    yield wae.but(
        name="wae-mmd",
        about="An autoencoder whose codes together follow the prior: sharper than a VAE.",
        terms={**AE.terms, "match": Weighted("mmd", {}, 100.0)},
        papers=("tolstikhin2018", "gretton2012"),
    )
    yield wae.but(
        name="swae",
        about="As wae-mmd, compared on random lines: no kernel to choose.",
        terms={**AE.terms, "match": Weighted("sliced-wasserstein", {}, 10.0)},
        papers=("kolouri2019",),
    )
    aae = wae.but(
        terms={**AE.terms, "match": Weighted("match-prior")},
        papers=("makhzani2016", "tolstikhin2018"),
    )
    yield aae.but(
        name="aae",
        about="A critic tells codes from the prior, the encoder fools it: any prior one can draw.",
    )
    yield aae.but(
        name="aae-uniform",
        about="The same in a box: codes that fill a square evenly.",
        latent=2,
        bottleneck=Spec("squashed"),
        prior=Spec("uniform"),
    )

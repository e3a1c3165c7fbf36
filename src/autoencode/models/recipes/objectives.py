"""Recipes with other objectives."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import AE, VAE


def bounds_and_factors() -> Iterable[Recipe]:
    """VAEs with other bounds on ln p(x) or other KL terms."""
    bound = VAE.but(samples=8, training={"steps": 5_000})
    yield bound.but(
        name="iwae",
        about="Importance-weighted autoencoder: a tighter bound from several samples.",
        terms={"bound": Weighted("iwae")},
        papers=("burda2016",),
    )
    yield VAE.but(
        name="missing-iwae",
        about="IWAE of the observed cells of a table, which fills in missing ones (MIWAE).",
        latent=8,
        samples=20,
        likelihood=Spec("gaussian-learned"),
        terms={"bound": Weighted("iwae")},
        papers=("mattei2019", "burda2016"),
    )
    yield bound.but(
        name="miwae",
        about="The mean of several importance-weighted bounds: less noise in the gradient.",
        terms={"bound": Weighted("miwae")},
        papers=("rainforth2018",),
    )
    yield bound.but(
        name="piwae",
        about="The decoder is trained by the bound of iwae, the encoder by that of miwae.",
        terms={"bound": Weighted("piwae")},
        papers=("rainforth2018",),
    )
    yield bound.but(
        name="ciwae",
        about="The mean of the bounds of the VAE and of iwae.",
        terms={"bound": Weighted("ciwae")},
        papers=("rainforth2018", "burda2016"),
    )
    yield VAE.but(
        name="beta-vae",
        about="β = 4 on the KL term: asks for a code with less information about x.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("kl", {}, 4.0)},
        papers=("higgins2017",),
    )
    yield VAE.but(
        name="capacity-vae",
        about="Penalises |KL − C|; C rises from 0 to 25 nats during training.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("capacity", {"capacity": 25.0}, 30.0)},
        schedules={"terms.kl.capacity": (0.0, 10_000)},
        papers=("burgess2018",),
    )
    yield VAE.but(
        name="free-bits-vae",
        about="The first 0.5 nats of KL of each latent dimension are free.",
        latent=10,
        terms={**VAE.terms, "kl": Weighted("free-bits")},
        papers=("kingma2016",),
    )
    yield VAE.but(
        name="beta-tcvae",
        about="Penalises the total correlation of the code, estimated from the batch.",
        latent=10,
        terms={**VAE.terms, "correlation": Weighted("total-correlation", {}, 5.0)},
        papers=("chen2018",),
    )
    yield VAE.but(
        name="factor-vae",
        about="Penalises the total correlation of the code, estimated by a critic network.",
        latent=10,
        terms={**VAE.terms, "correlation": Weighted("factor", {}, 10.0)},
        papers=("kim2018",),
    )
    yield VAE.but(
        name="dip-vae-1",
        about="Asks for posterior means whose covariance is the identity.",
        latent=10,
        terms={**VAE.terms, "covariance": Weighted("dip")},
        papers=("kumar2018",),
    )
    yield VAE.but(
        name="dip-vae-2",
        about="Asks for sampled codes whose covariance is the identity.",
        latent=10,
        terms={**VAE.terms, "covariance": Weighted("dip", {"version": 2, "lambda_d": 10.0})},
        papers=("kumar2018",),
    )
    yield VAE.but(
        name="info-vae",
        about="Weight 0.5 on the KL term, and an MMD penalty between codes and prior.",
        latent=10,
        terms={
            "reconstruction": Weighted("reconstruction"),
            "kl": Weighted("kl", {}, 0.5),
            "match": Weighted("mmd", {"kernel": "rbf"}, 500.0),
        },
        papers=("zhao2019",),
    )


def matched() -> Iterable[Recipe]:
    """Models that match the aggregate posterior to the prior."""
    wae = AE.but(latent=10, prior=Spec("normal"))
    yield wae.but(
        name="wae-mmd",
        about="A Wasserstein autoencoder: an MMD penalty between codes and prior.",
        terms={**AE.terms, "match": Weighted("mmd", {}, 100.0)},
        papers=("tolstikhin2018", "gretton2012"),
    )
    yield wae.but(
        name="swae",
        about="Penalises the sliced Wasserstein distance between codes and prior.",
        terms={**AE.terms, "match": Weighted("sliced-wasserstein", {}, 10.0)},
        papers=("kolouri2019",),
    )
    aae = wae.but(
        terms={**AE.terms, "match": Weighted("match-prior")},
        papers=("makhzani2016", "tolstikhin2018"),
    )
    yield aae.but(
        name="aae",
        about="An adversarial autoencoder: a critic distinguishes codes from prior samples.",
    )
    yield aae.but(
        name="aae-uniform",
        about="The adversarial autoencoder with codes in a square and a uniform prior.",
        latent=2,
        bottleneck=Spec("squashed"),
        prior=Spec("uniform"),
    )

"""Regularised autoencoders."""

from __future__ import annotations

from collections.abc import Iterable

from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.base import (
    AE,
    DICTIONARY,
    KEPT,
    NORMALISED,
    OF_DICTIONARY,
    REVIVED,
    VAE,
)


def regularised() -> Iterable[Recipe]:
    """Denoising, contractive, sparse and regularised autoencoders."""
    one_layer = Spec("mlp", {"hidden": ()})
    yield AE.but(
        name="denoising-ae",
        about="Reconstructs clean images from images with Gaussian noise.",
        latent=64,
        network=Spec("mlp", {"hidden": (1024,), "norm": "batch"}),
        corruption=Spec("gaussian-noise", {"scale": 0.5}),
        training=NORMALISED,
        papers=("vincent2008", "vincent2010"),
    )
    yield AE.but(
        name="conv-denoising-ae",
        about="The denoising autoencoder with convolutions.",
        latent=64,
        network=Spec("conv"),
        corruption=Spec("gaussian-noise", {"scale": 0.5}),
        training=NORMALISED,
        papers=("vincent2010", "masci2011"),
    )
    yield VAE.but(
        name="denoising-vae",
        about="A VAE that reconstructs clean images from images with Gaussian noise.",
        latent=16,
        corruption=Spec("gaussian-noise", {"scale": 0.5}),
        papers=("vincent2010", "kingma2014"),
    )
    yield AE.but(
        name="contractive-ae",
        about="Penalises the squared Jacobian of the encoder: asks for codes that vary little.",
        latent=32,
        terms={**AE.terms, "contractive": Weighted("contractive", weight=0.02)},
        papers=("rifai2011",),
    )
    yield AE.but(
        name="sparse-l1",
        about="L1 penalty on a non-negative code; may set most dimensions to 0.",
        latent=256,
        network=one_layer,
        bottleneck=Spec("rectified"),
        terms={**AE.terms, "l1": Weighted("l1", weight=0.1)},
        training={"weight_decay": 0.1},
        papers=("olshausen1996",),
    )
    yield AE.but(
        name="sparse-kl",
        about="KL penalty that asks each unit for a mean activation of 0.05.",
        latent=256,
        network=one_layer,
        terms={**AE.terms, "sparsity": Weighted("kl-sparsity", weight=0.2)},
        papers=("ng2011",),
    )
    yield AE.but(
        name="sparse-top-k",
        about="Keeps the k largest of 1,000 dimensions and sets all others to 0.",
        latent=1000,
        network=one_layer,
        bottleneck=Spec("top-k"),
        training=NORMALISED,
        papers=("makhzani2014", "gao2024"),
    )
    yield AE.but(
        name="sparse-batch-top-k",
        about="As sparse-top-k, with k active dimensions on average over a batch.",
        latent=1000,
        network=one_layer,
        bottleneck=Spec("batch-top-k"),
        training=NORMALISED,
        papers=("bussmann2024",),
    )
    sparse = AE.but(
        latent=1000,
        network=DICTIONARY,
        likelihood=Spec("gaussian", {"mean": "identity"}),
        terms={**AE.terms, "aux-k": REVIVED},
        training=OF_DICTIONARY,
    )
    yield sparse.but(
        name="sparse-jump-relu",
        about="Sets a dimension to 0 below a threshold that it learns; the penalty asks for k.",
        bottleneck=Spec("jump-relu"),
        terms={**sparse.terms, "aux-k": KEPT, "l0": Weighted("l0", weight=5.0)},
        papers=("rajamanoharan2024b",),
    )
    yield sparse.but(
        name="sparse-gated",
        about="Decides by a gate whether a dimension is active, and separately by how much.",
        bottleneck=Spec("gated"),
        terms={**sparse.terms, "aux-k": KEPT, "gated": Weighted("gated")},
        papers=("rajamanoharan2024a",),
    )
    yield sparse.but(
        name="sparse-matryoshka",
        about="Batch top-k codes whose first halves, quarters and eighths reconstruct alone.",
        bottleneck=Spec("batch-top-k", {"norm": "none"}),
        terms={**sparse.terms, "matryoshka": Weighted("matryoshka")},
        papers=("bussmann2025", "bussmann2024"),
    )
    small = {**AE.terms, "l2": Weighted("l2", weight=0.1)}
    yield AE.but(
        name="rae-l2",
        about="L2 penalty on codes, weight decay, and a Gaussian mixture fitted to the codes.",
        latent=16,
        terms=small,
        sampler=Spec("mixture"),
        training={"weight_decay": 0.05},
        papers=("ghosh2020",),
    )
    yield AE.but(
        name="rae-gp",
        about="As rae-l2, with a penalty on the decoder's Jacobian instead of weight decay.",
        latent=16,
        terms={**small, "smooth": Weighted("decoder-smooth", weight=0.1)},
        sampler=Spec("mixture"),
        papers=("ghosh2020",),
    )

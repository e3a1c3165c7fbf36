"""What rows begin from."""

from __future__ import annotations

from autoencode.models.recipe import Recipe, Spec, Weighted

AE = Recipe(papers=("hinton2006",))
VAE = AE.but(
    bottleneck=Spec("gaussian"),
    likelihood=Spec("bernoulli"),
    prior=Spec("normal"),
    terms={"reconstruction": Weighted("reconstruction"), "kl": Weighted("kl")},
    papers=("kingma2014",),
)
# Batch normalisation allows larger steps, once its statistics have settled.
NORMALISED = {"lr": 3e-3, "warmup": 300}

"""Recipes and settings that other recipes start from."""

from __future__ import annotations

from autoencode.models.recipe import Recipe, Spec, Weighted

AE = Recipe(papers=("hinton2006",))
VAE = AE.but(
    bottleneck=Spec("gaussian"),
    likelihood=Spec("auto"),
    prior=Spec("normal"),
    terms={"reconstruction": Weighted("reconstruction"), "kl": Weighted("kl")},
    papers=("kingma2014",),
)
# Batch normalisation allows a larger learning rate after a warm-up.
NORMALISED = {"lr": 3e-3, "warmup": 300}
# One layer on each side, for sparse codes. Its weights are in units of the scale of the data, so
# that this learning rate fits all data.
DICTIONARY = Spec("dictionary")
OF_DICTIONARY = {"lr": 7e-3, "warmup": 50}
# Its weight in the paper is 1/32, where dead units have many more steps to come back.
REVIVED = Weighted("aux-k")
# Where each unit has learned its own threshold or gate, one that begins anew disturbs the others on
# small data: unexplained variance of jump ReLU codes of tables became a third larger.
KEPT = Weighted("aux-k", {"restart": 0.0})

"""Clusters found without labels."""

from __future__ import annotations

from autoencode.evaluation import embed
from autoencode.evaluation.metrics.clusters import matched_accuracy
from proofs.claim import Claim
from proofs.training import Training, Workshop


def mixture_prior(shop: Workshop) -> list[Claim | str]:
    """Each component of the prior is matched with one class, as well as can be."""
    accuracies = []
    for seed in range(shop.seeds):
        trained = shop.train(Training("mog-vae", {"seed": seed}))
        test = trained.data.test
        clusters = trained.model.latent_prior.responsibilities(embed(trained.model, test.x))
        accuracies.append(matched_accuracy(clusters.argmax(-1), test.y))
        print(f"  {accuracies[-1]:.2%} in the class of their cluster", flush=True)
    return [
        Claim(
            "share of test images in the class that their cluster is matched with, one to one",
            accuracies,
            at_least=0.9,
            published="0.9446 (Jiang 2017)",
        )
    ]

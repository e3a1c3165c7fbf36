"""Clusters found without labels."""

from __future__ import annotations

from autoencode.evaluation import embed
from autoencode.evaluation.metrics.clusters import matched_accuracy
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand


def mixture_prior(runner: ProofRunner) -> list[Claim | str]:
    """Accuracy of the clusters of mog-vae, each assigned to one class by the best matching."""
    accuracies = []
    for seed in range(runner.seeds):
        trained = runner.train(TrainCommand("mog-vae", {"seed": seed}))
        test = trained.data.test
        clusters = trained.model.latent_prior.responsibilities(embed(trained.model, test.x))
        accuracies.append(matched_accuracy(clusters.argmax(-1), test.y))
        print(f"  {accuracies[-1]:.2%} clustering accuracy", flush=True)
    return [
        Claim(
            "clustering accuracy on test images: each cluster is assigned to one class, one to one",
            accuracies,
            at_least=0.9,
            published="0.9446 (Jiang 2017)",
        )
    ]

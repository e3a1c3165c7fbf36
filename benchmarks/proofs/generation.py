"""Generation from a mixture fitted to the codes, and from a prior."""

from __future__ import annotations

import torch

from autoencode.data import load_data
from autoencode.evaluation import frechet_distance, trained_classifier
from autoencode.models.inference import decode, seeded
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand

RECIPES = ("rae-l2", "ae-mixture", "vae-mixture")


def fitted_mixtures(runner: ProofRunner) -> list[Claim | str]:
    """Fréchet distances of 10,000 generated images to the test images, for each source of codes."""
    data = load_data(runner.data)
    classifier = trained_classifier(data)
    n = runner.limit(len(data.test))
    real = classifier.features(data.test.x[:n])
    distances: dict[str, float] = {}
    for row in RECIPES:
        model = runner.train(TrainCommand(row)).model
        sources = {"mixture": model.sampler()}
        if row == "vae-mixture":
            sources["prior"] = model.prior()
        for source, codes in sources.items():
            with seeded(0, torch.device("cpu")):
                images = decode(model, codes.sample((n,)))
            distances[f"{row}, {source}"] = frechet_distance(classifier.features(images), real)
    prior = distances["vae-mixture, prior"]
    same = frechet_distance(classifier.features(data.train.x[:n]), real)
    return [
        Claim(
            f"Fréchet distance of {name}, divided by the Fréchet distance of the VAE with its "
            "prior",
            [distances[f"{name}, mixture"] / prior],
            at_most=1.0,
            published=published,
        )
        for name, published in (
            ("rae-l2", "8.7 / 19.2 = 0.45 in Inception's features (Ghosh 2020, Table 1)"),
            ("ae-mixture", "10.7 / 19.2 = 0.56 in Inception's features (Ghosh 2020, Table 1)"),
        )
    ] + [
        "Fréchet distances of 10,000 images: "
        + "; ".join(f"{name} {value:.2f}" for name, value in distances.items())
        + f"; training images, for reference, {same:.2f}. The features are those of a classifier "
        f"trained on the training images, with a test accuracy of {classifier.accuracy:.2%}. "
        "Such a distance can be compared only with distances in the features of the same "
        "classifier.",
    ]

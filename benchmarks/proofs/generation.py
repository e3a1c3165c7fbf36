"""Codes drawn from a mixture that was fitted to them, and from a prior."""

from __future__ import annotations

import torch

from autoencode.data import load_data
from autoencode.evaluation import frechet_distance, trained_classifier
from autoencode.models.inference import decode, seeded
from proofs.claim import Claim
from proofs.training import Training, Workshop

ROWS = ("rae-l2", "ae-mixture", "vae-mixture")


def fitted_mixtures(shop: Workshop) -> list[Claim | str]:
    """The Fréchet distance of 10,000 drawn images to the test images, by where codes came from."""
    data = load_data(shop.data)
    judge = trained_classifier(data)
    n = shop.few(len(data.test))
    real = judge.features(data.test.x[:n])
    found: dict[str, float] = {}
    for row in ROWS:
        model = shop.train(Training(row)).model
        sources = {"mixture": model.sampler()}
        if row == "vae-mixture":
            sources["prior"] = model.prior()
        for source, codes in sources.items():
            with seeded(0, torch.device("cpu")):
                images = decode(model, codes.sample((n,)))
            found[f"{row}, {source}"] = frechet_distance(judge.features(images), real)
    prior = found["vae-mixture, prior"]
    same = frechet_distance(judge.features(data.train.x[:n]), real)
    return [
        Claim(
            f"Fréchet distance of {name} as a multiple of that of the VAE's own prior",
            [found[f"{name}, mixture"] / prior],
            at_most=1.0,
            published=published,
        )
        for name, published in (
            ("rae-l2", "8.7 / 19.2 = 0.45 in Inception's features (Ghosh 2020, Table 1)"),
            ("ae-mixture", "10.7 / 19.2 = 0.56 in Inception's features (Ghosh 2020, Table 1)"),
        )
    ] + [
        "Fréchet distances of 10,000 images: "
        + "; ".join(f"{name} {value:.2f}" for name, value in found.items())
        + f"; training images, for reference, {same:.2f}. In the features of a classifier trained "
        f"on the training images, which is right on {judge.accuracy:.2%} of the test images; such "
        "a distance compares with no other classifier's.",
    ]

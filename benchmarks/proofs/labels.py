"""Labels: digits drawn as asked, and classes learned from a hundred of them."""

from __future__ import annotations

import torch

from autoencode.contract import Sizes
from autoencode.data import load_data
from autoencode.evaluation import label_fidelity, trained_classifier
from autoencode.models.inference import decode, seeded
from autoencode.parts.networks import network_class
from proofs.claim import Claim
from proofs.likelihoods import gain
from proofs.training import Trained, Training, Workshop

CVAE = Training("cvae", {"binarise": "dynamic"})
FEW = 100


def conditional(shop: Workshop) -> list[Claim | str]:
    """Digits drawn as asked; and what the label is worth in nats."""
    told, untold = shop.train(CVAE), shop.train(CVAE.but(sets={"context": "none"}))
    classes = len(told.data.classes)
    asked = torch.arange(shop.few(10_000)) % classes
    with seeded(0, torch.device("cpu")):
        codes = told.model.sampler().sample((len(asked),))
    images = decode(told.model, codes, asked)
    judge = trained_classifier(load_data(shop.data))
    return [
        Claim(
            "share of 10,000 generated digits that a classifier recognises as the digit asked for",
            [label_fidelity(judge, images, asked)],
            at_least=0.98,
        ),
        Claim("test accuracy of that classifier", [judge.accuracy], at_least=0.99),
        *gain(untold, told, shop, "the same net that is told no label", 0.0),
    ]


def semi_supervised(row: str, bound: float, published: str):
    """M2 or M1+M2 with a hundred labels, over several draws of the labels."""

    def prove(shop: Workshop) -> list[Claim | str]:
        errors, alone = [], []
        for seed in range(shop.seeds):
            trained = shop.train(Training(row, {"labelled": FEW, "split_seed": seed, "seed": seed}))
            errors.append(trained.metrics["classification_error"])
            alone.append(_labels_alone(trained, seed))
            print(f"  {errors[-1]:.2%} wrong; labels alone {alone[-1]:.2%}", flush=True)
        return [
            Claim(
                f"error on test images with {FEW} labels, median over draws of the labels",
                errors,
                at_most=bound,
                published=published,
            ),
            Claim(
                "that error as a multiple of that of the same classifier, trained on the labels "
                "alone",
                [one / other for one, other in zip(errors, alone, strict=True)],
                at_most=0.75,
            ),
            f"The classifier on the labels alone: {', '.join(f'{each:.2%}' for each in alone)}.",
        ]

    return prove


def _labels_alone(trained: Trained, seed: int, steps: int = 300) -> float:
    """The test error of the row's own network as a classifier of the labelled images only."""
    data, recipe = trained.data, trained.run.recipe
    told = data.train.y >= 0
    x, y = data.train.x[told].float() / 255, data.train.y[told]
    with seeded(seed, torch.device("cpu")):
        network = network_class(recipe.network.kind)(**recipe.network.args)
        net = network.encoder(Sizes(data.shape, (recipe.latent,)), len(data.classes))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(net(x, None), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        found = torch.cat([net(b.float() / 255, None).argmax(-1) for b in data.test.x.split(2000)])
    return (found != data.test.y).double().mean().item()

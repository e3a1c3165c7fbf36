"""Labels: generation of a given class, and classification from a hundred labels."""

from __future__ import annotations

from collections.abc import Callable

import torch

from autoencode.contract import Sizes
from autoencode.data import load_data
from autoencode.evaluation import label_fidelity, trained_classifier
from autoencode.models.inference import decode, seeded
from autoencode.parts.networks import network_class
from autoencode.train.augment import augmented
from proofs.claim import Claim
from proofs.likelihoods import gain
from proofs.runner import ProofRunner, TrainCommand, TrainedRun

# Fewer latent dimensions leave more of an image to its label.
CVAE = TrainCommand("cvae", {"binarise": "dynamic", "latent": 4})
LABELLED = 100


def conditional(runner: ProofRunner) -> list[Claim | str]:
    """Label fidelity of generated digits, and the gain in likelihood from the labels."""
    trained = [runner.train(CVAE.but(seed=seed)) for seed in range(min(runner.seeds, 3))]
    plain = runner.train(CVAE.but(sets={"context": "none"}, seed=0))
    labels = torch.arange(runner.limit(10_000)) % len(plain.data.classes)
    classifier = trained_classifier(load_data(runner.data))
    fidelities = []
    for each in trained:
        with seeded(0, torch.device("cpu")):
            codes = each.model.sampler().sample((len(labels),))
        images = decode(each.model, codes, labels)
        fidelities.append(label_fidelity(classifier, images, labels))
        print(f"  {fidelities[-1]:.2%} label fidelity", flush=True)
    return [
        Claim(
            "label fidelity: share of 10,000 generated digits that a classifier assigns to their "
            "label",
            fidelities,
            at_least=0.99,
        ),
        Claim("test accuracy of that classifier", [classifier.accuracy], at_least=0.99),
        *gain(plain, trained[0], runner, "the same network without labels", 0.0),
    ]


def semi_supervised(
    row: str, bound: float, published: str, augment: float
) -> Callable[[ProofRunner], list[Claim | str]]:
    """M2 or M1+M2 with a hundred labels, over several random choices of the labelled images.

    augment: the share of images under small random affine maps.
    """

    def prove(runner: ProofRunner) -> list[Claim | str]:
        errors, supervised = [], []
        for seed in range(runner.seeds):
            options = {
                "labelled": LABELLED,
                "split_seed": seed,
                "seed": seed,
                "augment": augment,
            }
            trained = runner.train(TrainCommand(row, options))
            errors.append(trained.metrics["classification_error"])
            supervised.append(_supervised_error(trained, seed, augment))
            print(f"  error {errors[-1]:.2%}; supervised {supervised[-1]:.2%}", flush=True)
        return [
            Claim(
                f"classification error on test images with {LABELLED} labels; median over random "
                "choices of the labelled images",
                errors,
                at_most=bound,
                published=published,
            ),
            Claim(
                "classification error, divided by the error of the same classifier trained only on "
                "the labelled images",
                [error / other for error, other in zip(errors, supervised, strict=True)],
                at_most=0.75,
            ),
            "Errors of the classifier trained only on the labelled images: "
            f"{', '.join(f'{error:.2%}' for error in supervised)}.",
        ]

    return prove


def _supervised_error(trained: TrainedRun, seed: int, augment: float, steps: int = 1_000) -> float:
    """Test error of the network of the recipe, trained as a classifier on the labelled images.

    They are augmented as in the training of the model.
    """
    data, recipe = trained.data, trained.run.recipe
    labelled = data.train.y >= 0
    x, y = data.train.x[labelled].float() / 255, data.train.y[labelled]
    with seeded(seed, torch.device("cpu")):
        network = network_class(recipe.network.kind)(**recipe.network.args)
        net = network.encoder(Sizes(data.shape, (recipe.latent,)), len(data.classes))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(net(augmented(x, augment), None), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        predicted = torch.cat(
            [net(b.float() / 255, None).argmax(-1) for b in data.test.x.split(2000)]
        )
    return (predicted != data.test.y).double().mean().item()

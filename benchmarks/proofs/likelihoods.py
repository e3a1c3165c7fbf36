"""Likelihoods of binarised MNIST: the VAE, importance weighting, priors, and a ladder VAE."""

from __future__ import annotations

from torch import Tensor

from autoencode.evaluation import log_likelihood
from proofs.claim import Claim
from proofs.runner import ProofRunner, TrainCommand, TrainedRun

SAMPLES = 5_000
NET = {"network.hidden": [512, 512], "network.activation": "silu", "network.norm": "layer"}
OPTIONS = {"binarise": "dynamic", "lr": 3e-3, "warmup": 500}
# Images of a paired comparison. The differences between two models on the same images vary much
# less than the likelihoods, so fewer images are enough.
PAIRED_IMAGES = 2_000
Z50 = "the one-layer VAE with 50 latent dimensions"


def vae(latent: int, steps: int) -> TrainCommand:
    """The one-layer VAE with which the others are compared."""
    return TrainCommand("vae", {**OPTIONS, "latent": latent, "steps": steps}, NET)


def nats(trained: TrainedRun, runner: ProofRunner, images: int) -> Tensor:
    """−ln p(x) of test images in nats, [N]; a conditional model gets their labels.

    The images are evenly spaced, because the second half of the test images is harder.
    """
    test = trained.data.test
    chosen = slice(None, None, max(1, len(test) // runner.limit(images)))
    labels = test.y[chosen] if trained.run.recipe.context else None
    values = -log_likelihood(trained.model, test.x[chosen], labels, samples=runner.limit(SAMPLES))
    print(f"  {values.mean():.2f} nats after {trained.seconds:,.0f} s of training", flush=True)
    return values


def gain(
    baseline: TrainedRun,
    better: TrainedRun,
    runner: ProofRunner,
    name: str,
    at_least: float,
    published: str = "",
) -> list[Claim | str]:
    """The paired difference of −ln p(x) between a baseline, called `name`, and a better model."""
    before, after = (nats(each, runner, PAIRED_IMAGES) for each in (baseline, better))
    difference = before - after
    error = difference.std().item() / len(difference) ** 0.5
    what = (
        f"−ln p(x) in nats, reduction compared with {name}: mean over {len(difference):,} evenly "
        f"spaced test images, dynamically binarised, {runner.limit(SAMPLES):,} importance samples"
    )
    return [
        Claim(what, [difference.mean().item()], at_least=at_least, published=published),
        f"Baseline {before.mean():.2f} nats, this model {after.mean():.2f} nats; the standard "
        f"error of the difference is {error:.2f}. Training took {baseline.seconds:,.0f} s and "
        f"{better.seconds:,.0f} s.",
    ]


def one_layer(runner: ProofRunner) -> list[Claim | str]:
    """A VAE with 50 latent dimensions."""
    values = nats(runner.train(vae(50, 60_000)), runner, 10_000)
    error = values.std().item() / len(values) ** 0.5
    return [
        Claim(
            f"−ln p(x) in nats: mean over {len(values):,} test images, dynamically binarised, "
            f"{runner.limit(SAMPLES):,} importance samples",
            [values.mean().item()],
            at_most=87.0,
            published="86.76 (Burda 2016)",
        ),
        f"The standard error over test images is {error:.2f} nats. The network of the paper has "
        "two layers of 200 units and was trained for 3,280 epochs with batches of 20.",
    ]


def importance_weighted(runner: ProofRunner) -> list[Claim | str]:
    """The IWAE bound with 50 samples: with as many updates as the VAE, then in equal time."""
    bound = {"terms.bound": "iwae", "terms.reconstruction": "none", "terms.kl": "none"}
    many = {"samples": 50, **bound}
    paper = vae(50, 12_000).but(sets={"network.hidden": [200, 200]}, batch_size=100)
    start = runner.train(vae(50, 60_000))
    continued = {"init": start.run.folder, "lr": 1e-3, "warmup": 100, "batch_size": 100}
    return [
        *gain(
            runner.train(paper),
            runner.train(paper.but(sets=many)),
            runner,
            "the VAE with the network of the paper, after the same number of updates",
            1.5,
            "86.76 − 84.78 = 1.98 (Burda 2016)",
        ),
        *gain(
            runner.train(vae(50, 100_000).but(**continued)),
            runner.train(vae(50, 8_000).but(sets=many, **continued)),
            runner,
            "the wider network of `vae`, trained from the same weights for about the same time",
            0.0,
        ),
    ]


def vamp(runner: ProofRunner) -> list[Claim | str]:
    """The VampPrior against the standard normal prior, with two network sizes."""
    wide = vae(40, 25_000)
    paper = vae(40, 30_000).but(sets={"network.hidden": [300, 300]}, batch_size=100, lr=1e-3)
    return [
        *gain(
            runner.train(paper),
            runner.train(paper.but(sets={"prior": "vamp", "prior.components": 500})),
            runner,
            "the network of the paper with the standard normal prior, after the same number of "
            "updates with the same batch size; 500 pseudo-inputs",
            1.5,
            "84.45 − 82.43 = 2.02 (Tomczak 2018)",
        ),
        *gain(
            runner.train(wide),
            runner.train(wide.but(sets={"prior": "vamp"})),
            runner,
            "the network of `vae` with the standard normal prior, after the same number of "
            "updates; 200 pseudo-inputs",
            0.0,
        ),
        "The second pair was measured first, and did not reach the bound of 1.5 nats.",
    ]


def flow(runner: ProofRunner) -> list[Claim | str]:
    """A flow with one transform as prior, trained in at most the time of the one-layer VAE."""
    one = {"prior": "flow", "prior.transforms": 1}
    return _in_less_time(vae(50, 30_000).but(sets=one), runner)


def ladder(runner: ProofRunner) -> list[Claim | str]:
    """A ladder VAE with two layers, trained in at most the time of the one-layer VAE."""
    options = {**OPTIONS, "latent": 75, "steps": 40_000}
    return _in_less_time(
        TrainCommand("ladder-vae", options, {**NET, "model.norm": "layer"}), runner
    )


def _in_less_time(command: TrainCommand, runner: ProofRunner) -> list[Claim | str]:
    baseline, better = runner.train(vae(50, 60_000)), runner.train(command)
    times = Claim(
        f"training time, divided by the training time of {Z50}",
        [better.seconds / baseline.seconds],
        at_most=1.0,
    )
    return [*gain(baseline, better, runner, Z50, 0.0), times]

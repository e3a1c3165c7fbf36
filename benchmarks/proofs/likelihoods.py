"""Likelihoods of binarised MNIST: the VAE, tighter bounds, better priors, more layers."""

from __future__ import annotations

from autoencode.evaluation import log_likelihood
from proofs.claim import Claim
from proofs.training import Trained, Training, Workshop

WHAT = "−ln p(x) of a test image, nats, dynamically binarised, 5,000 importance samples"
GAIN = "nats by which −ln p(x) of a test image is lower than that of {}"
NET = {"network.hidden": [512, 512], "network.activation": "silu", "network.norm": "layer"}
OPTIONS = {"binarise": "dynamic", "lr": 3e-3, "warmup": 500}


def vae(latent: int, steps: int) -> Training:
    """The one-layer VAE that the others are held to."""
    return Training("vae", {**OPTIONS, "latent": latent, "steps": steps}, NET)


def nll(trained: Trained, shop: Workshop) -> float:
    """The mean of −ln p(x) over the test images, nats."""
    data = trained.data
    told = data.test.y if trained.run.recipe.context else None
    n = shop.few(len(data.test))
    known = None if told is None else told[:n]
    found = log_likelihood(trained.model, data.test.x[:n], known, samples=shop.few(5_000))
    nats = -found.mean().item()
    print(f"  {nats:.2f} nats after {trained.seconds:,.0f} s of training", flush=True)
    return nats


def one_layer(shop: Workshop) -> list[Claim | str]:
    """A VAE of 50 codes."""
    reached = nll(shop.train(vae(50, 60_000)), shop)
    return [Claim(WHAT, [reached], at_most=87.0, published="86.76 (Burda 2016, Table 1)")]


def importance_weighted(shop: Workshop) -> list[Claim | str]:
    """The VAE of 50 codes goes on under the IWAE bound with 50 samples, and as it was."""
    start = shop.train(vae(50, 60_000))
    name = str(start.run.folder)
    more = {"init": name, "lr": 1e-3, "warmup": 100, "batch_size": 100}
    samples = {
        "samples": 50,
        "terms.bound": "iwae",
        "terms.reconstruction": "none",
        "terms.rate": "none",
    }
    tight = shop.train(vae(50, 8_000).but(sets=samples, **more))
    plain = shop.train(vae(50, 60_000).but(**more))
    before, after = nll(plain, shop), nll(tight, shop)
    return [
        Claim(
            GAIN.format("the VAE, both begun with the same weights and trained as long again"),
            [before - after],
            at_least=1.5,
            published="86.76 − 84.78 = 1.98 (Burda 2016, Table 1)",
        ),
        Claim(WHAT, [after], at_most=85.5, published="84.78 (Burda 2016, Table 1)"),
    ]


def vamp(shop: Workshop) -> list[Claim | str]:
    """The VampPrior and the standard one in the same net of 40 codes."""
    net = vae(40, 30_000)
    plain = nll(shop.train(net), shop)
    better = nll(shop.train(net.but(sets={"prior": "vamp"})), shop)
    return [
        Claim(
            GAIN.format("the same net with the standard prior, after as many steps"),
            [plain - better],
            at_least=1.5,
            published="84.45 − 82.43 = 2.02 (Tomczak 2018, Table 1)",
        ),
        f"{plain:.2f} nats with the standard prior, {better:.2f} with the VampPrior.",
    ]


def flow(shop: Workshop) -> list[Claim | str]:
    """A learned flow as prior, in no more time than the VAE of 50 codes had."""
    plain = shop.train(vae(50, 60_000))
    better = shop.train(vae(50, 20_000).but(sets={"prior": "flow"}))
    return _at_one_budget(plain, better, shop)


def ladder(shop: Workshop) -> list[Claim | str]:
    """Two layers of codes, in no more time than the VAE of 50 codes had."""
    plain = shop.train(vae(50, 60_000))
    better = shop.train(
        Training(
            "ladder-vae",
            {**OPTIONS, "latent": 75, "steps": 40_000},
            {**NET, "model.norm": "layer"},
        )
    )
    return _at_one_budget(plain, better, shop)


def _at_one_budget(plain: Trained, better: Trained, shop: Workshop) -> list[Claim | str]:
    before, after = nll(plain, shop), nll(better, shop)
    return [
        Claim(GAIN.format("the one-layer VAE of 50 codes"), [before - after], at_least=0.0),
        Claim(
            "its training time as a multiple of that of the VAE",
            [better.seconds / plain.seconds],
            at_most=1.0,
        ),
        f"{before:.2f} nats for the VAE, {after:.2f} here.",
    ]

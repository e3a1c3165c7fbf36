"""Likelihoods of binarised MNIST: the VAE, tighter bounds, better priors, more layers."""

from __future__ import annotations

from torch import Tensor

from autoencode.evaluation import log_likelihood
from proofs.claim import Claim
from proofs.training import Trained, Training, Workshop

SAMPLES = 5_000
NET = {"network.hidden": [512, 512], "network.activation": "silu", "network.norm": "layer"}
OPTIONS = {"binarise": "dynamic", "lr": 3e-3, "warmup": 500}
# Two models on the same images differ by far less from image to image than each by itself.
PAIRED = 2_000
Z50 = "the one-layer VAE of 50 codes"


def vae(latent: int, steps: int) -> Training:
    """The one-layer VAE that the others are held to."""
    return Training("vae", {**OPTIONS, "latent": latent, "steps": steps}, NET)


def nats(trained: Trained, shop: Workshop, images: int) -> Tensor:
    """−ln p(x) of test images, nats, [N]; a conditional model is told their labels.

    Evenly spread: the second half of MNIST's test images is harder than the first.
    """
    test = trained.data.test
    chosen = slice(None, None, max(1, len(test) // shop.few(images)))
    told = test.y[chosen] if trained.run.recipe.context else None
    found = -log_likelihood(trained.model, test.x[chosen], told, samples=shop.few(SAMPLES))
    print(f"  {found.mean():.2f} nats after {trained.seconds:,.0f} s of training", flush=True)
    return found


def gain(
    plain: Trained, better: Trained, shop: Workshop, over: str, at_least: float, published: str = ""
) -> list[Claim | str]:
    """What the better model takes off −ln p(x) of the plain one, image by image."""
    before, after = nats(plain, shop, PAIRED), nats(better, shop, PAIRED)
    difference = before - after
    error = difference.std().item() / len(difference) ** 0.5
    what = (
        f"nats taken off −ln p(x) of {over}: mean over {len(difference):,} evenly spread test "
        f"images, dynamically binarised, {shop.few(SAMPLES):,} importance samples"
    )
    return [
        Claim(what, [difference.mean().item()], at_least=at_least, published=published),
        f"{before.mean():.2f} nats without, {after.mean():.2f} with it; the difference has a "
        f"standard error of {error:.2f}. Training took {plain.seconds:,.0f} s and "
        f"{better.seconds:,.0f} s.",
    ]


def one_layer(shop: Workshop) -> list[Claim | str]:
    """A VAE of 50 codes."""
    found = nats(shop.train(vae(50, 60_000)), shop, 10_000)
    error = found.std().item() / len(found) ** 0.5
    return [
        Claim(
            f"−ln p(x), nats: mean over {len(found):,} test images, dynamically binarised, "
            f"{shop.few(SAMPLES):,} importance samples",
            [found.mean().item()],
            at_most=87.0,
            published="86.76 (Burda 2016)",
        ),
        f"The standard error over test images is {error:.2f} nats. The paper's net has two layers "
        "of 200 units and was trained for 3,280 passes over the data in batches of 20.",
    ]


def importance_weighted(shop: Workshop) -> list[Claim | str]:
    """Fifty samples and the IWAE bound, for as many updates as the VAE; then for as long a time."""
    bound = {"terms.bound": "iwae", "terms.reconstruction": "none", "terms.kl": "none"}
    many = {"samples": 50, **bound}
    paper = vae(50, 12_000).but(sets={"network.hidden": [200, 200]}, batch_size=100)
    start = shop.train(vae(50, 60_000))
    on = {"init": start.run.folder, "lr": 1e-3, "warmup": 100, "batch_size": 100}
    return [
        *gain(
            shop.train(paper),
            shop.train(paper.but(sets=many)),
            shop,
            "the same net of the paper's widths, after as many updates",
            1.5,
            "86.76 − 84.78 = 1.98 (Burda 2016)",
        ),
        *gain(
            shop.train(vae(50, 100_000).but(**on)),
            shop.train(vae(50, 8_000).but(sets=many, **on)),
            shop,
            "the wider net of `vae`, trained on from the same weights for about as long a time",
            0.0,
        ),
    ]


def vamp(shop: Workshop) -> list[Claim | str]:
    """The VampPrior against the standard one: at the paper's size, and at that of `vae`."""
    wide = vae(40, 25_000)
    paper = vae(40, 30_000).but(sets={"network.hidden": [300, 300]}, batch_size=100, lr=1e-3)
    return [
        *gain(
            shop.train(paper),
            shop.train(paper.but(sets={"prior": "vamp", "prior.components": 500})),
            shop,
            "the same net of the paper's widths with the standard prior, after as many updates of "
            "batches as small; 500 pseudo-inputs",
            1.5,
            "84.45 − 82.43 = 2.02 (Tomczak 2018)",
        ),
        *gain(
            shop.train(wide),
            shop.train(wide.but(sets={"prior": "vamp"})),
            shop,
            "the net of `vae` with the standard prior, after as many updates; 200 pseudo-inputs",
            0.0,
        ),
        "The second pair was measured first, and missed the bound of 1.5 nats.",
    ]


def flow(shop: Workshop) -> list[Claim | str]:
    """A learned flow of one transform as prior, in no more time than the VAE of 50 codes had."""
    one = {"prior": "flow", "prior.transforms": 1}
    return _in_less_time(vae(50, 30_000).but(sets=one), shop)


def ladder(shop: Workshop) -> list[Claim | str]:
    """Two layers of codes, in no more time than the VAE of 50 codes had."""
    options = {**OPTIONS, "latent": 75, "steps": 40_000}
    return _in_less_time(Training("ladder-vae", options, {**NET, "model.norm": "layer"}), shop)


def _in_less_time(training: Training, shop: Workshop) -> list[Claim | str]:
    plain, better = shop.train(vae(50, 60_000)), shop.train(training)
    times = Claim(
        f"training time as a multiple of that of {Z50}",
        [better.seconds / plain.seconds],
        at_most=1.0,
    )
    return [*gain(plain, better, shop, Z50, 0.0), times]

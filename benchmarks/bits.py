"""Bits per dimension of 8-bit images after equal training times: `python benchmarks/bits.py DATA`.

    python benchmarks/bits.py cifar.zip --minutes 10
    python benchmarks/bits.py mnist --minutes 1 --compile off --models "vae bernoulli"

Trains a flat VAE (resnet-vae, 64 latent dimensions) with several likelihoods and the hierarchical
VAE, each for the same time on one machine, compiling included, and prints a table. The number of
steps of a model is set by the time of its first steps.
Bits per dimension are −log₂ of the probability of the 256 levels, a density integrated over the
interval of each level, by importance sampling; the ELBO is the bound of one sample.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from autoencode.cli.process import prepare

prepare()  # as in the command, before torch is imported

import autoencode as ae  # noqa: E402
from machine import machine  # noqa: E402
from steps import steps_in  # noqa: E402

# Steps that show how long a step takes.
TIMED_STEPS = 40
FLAT = ae.RECIPES["resnet-vae"].but(latent=64, training={"lr": 1e-3, "warmup": 100})
DEEP = ae.RECIPES["hierarchical-vae"]
MODELS = {
    "vae bernoulli": FLAT.set("likelihood", "bernoulli"),
    "vae gaussian-learned": FLAT.set("likelihood", "gaussian-learned"),
    "vae gaussian-heteroscedastic": FLAT.set("likelihood", "gaussian-heteroscedastic"),
    "vae discretised-logistic": FLAT.set("likelihood", "discretised-logistic"),
    "vae discretised-logistic-mixture": FLAT.set("likelihood", "discretised-logistic-mixture"),
    "hierarchical discretised-logistic": DEEP.set("likelihood", "discretised-logistic"),
    "hierarchical discretised-logistic-mixture": DEEP.set(
        "likelihood", "discretised-logistic-mixture"
    ),
}


def measured(name: str, data: ae.Data, given: argparse.Namespace) -> str:
    """Trains and measures a model; its row of the table."""
    recipe = MODELS[name]
    settings: dict[str, Any] = {
        "batch_size": given.batch_size,
        "seed": given.seed,
        "compile": given.compile,
        "progress": False,
    }
    steps = steps_in(recipe, data, 60 * given.minutes, TIMED_STEPS, **settings)
    fitted = ae.fit(recipe, data, steps=steps, validate_every=steps, **settings)
    part = data.validation if given.part == "validation" else data.test
    shown = replace(data, test=part)
    found = ae.evaluate(
        fitted.model,
        shown,
        ["reconstruction", "objective", "likelihood"],
        samples=given.samples,
        images=given.images,
    ).to_dict()
    bits, ends = found.get("bits_per_dimension"), found["intervals"].get("bits_per_dimension")
    cell = "none" if bits is None else f"{bits:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"
    return (
        f"| {name} | {steps:,} | {fitted.summary['seconds']:.0f} | {cell} | "
        f"{found['negative_elbo']:,.0f} | {found['nll']:,.0f} | {found['terms']['kl']:.1f} | "
        f"{found['squared_error_per_pixel']:.5f} |"
    )


def start() -> None:
    """Trains the models one after another and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="a name or a path, as of `autoencode train --data`")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of each model")
    parser.add_argument("--compile", choices=["on", "off"], default="on")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    parser.add_argument("--images", type=int, default=500, help="measured examples")
    parser.add_argument("--samples", type=int, default=100, help="importance samples of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="*", choices=[*MODELS], default=[*MODELS][1:])
    given = parser.parse_args()
    data = ae.load_data(given.data)
    print(
        f"{machine()}\n\n{data.name}, {len(data.train):,} training examples {data.shape}; ", end=""
    )
    print(
        f"{given.minutes:g} minutes for each model, compile {given.compile}, "
        f"batches of {given.batch_size}; "
        f"{given.samples} importance samples for "
        f"{given.images} {given.part} examples; seed {given.seed}.\n"
    )
    print("| model | steps | seconds | bits per dimension (95 %) | −ELBO | −ln p(x) | KL | MSE |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for name in given.models:
        print(measured(name, data, given), flush=True)


if __name__ == "__main__":
    start()

"""Squared error of an image recipe beside that of PCA with as many dimensions.

    .venv/bin/python benchmarks/colour.py DATA [--latent 2 16 64 128] [--minutes 15] [--seeds 3]
        [--precision auto]

DATA is a name, folder or archive of images, as `autoencode train --data` takes it. Each training
has the default settings of the recipe and as many steps as this machine makes in the given time,
which a first short training measures, or as many as --steps says. Prints, for each number of latent
dimensions, the squared error on the test images, summed over the values of an image, of PCA and of
the model, its mean over the seeds, and the difference in percent: negative is better than PCA.
"""

from __future__ import annotations

import argparse
import os
import time
from statistics import mean

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import autoencode as ae
from autoencode.cli.options import assignment
from machine import machine
from steps import steps_in

# Steps of the training that measures the speed; the first ones are slower than the others.
PROBE_STEPS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description="The error of a recipe beside that of PCA.")
    parser.add_argument("data")
    parser.add_argument("--recipe", default="conv-ae")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--latent", type=int, nargs="+", default=[2, 16, 64, 128])
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--steps", type=int, help="steps of each training, instead of its minutes")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=["auto", "float32", "bf16"], default="auto")
    given = parser.parse_args()
    data = ae.load_data(given.data)
    print(f"{data.name}, {len(data.train):,} training images {data.shape}; {machine()}")
    print("| d | PCA | model | difference | steps | seconds |")
    print("|---|---|---|---|---|---|")
    for latent in given.latent:
        recipe = ae.RECIPES[given.recipe].but(latent=latent)
        for change in given.set:
            recipe = recipe.set(*assignment(change))
        settings = {"precision": given.precision}
        steps = given.steps or steps_in(recipe, data, 60 * given.minutes, PROBE_STEPS, **settings)
        errors, of_pca = [], 0.0
        began = time.perf_counter()
        for seed in range(given.seeds):
            fitted = ae.fit(recipe, data, steps=steps, seed=seed, progress=False, **settings)
            found = ae.evaluate(fitted.model, data, ["reconstruction", "pca"])
            errors.append(found["squared_error"])
            of_pca = found["squared_error_of_pca"]
        seconds = (time.perf_counter() - began) / given.seeds
        change = mean(errors) / of_pca - 1
        spread = f" ({min(errors):.2f} to {max(errors):.2f})" if len(errors) > 1 else ""
        print(
            f"| {latent} | {of_pca:.2f} | {mean(errors):.2f}{spread} | {change:+.1%} | {steps:,} "
            f"| {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

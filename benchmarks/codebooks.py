"""Discrete bottlenecks and their settings, by validation error on several data sets.

    .venv/bin/python benchmarks/codebooks.py [--sets digits,mnist,clusters] [--steps 1440]
        [--cases revival=0.1,revival=0.9,...] [--seeds 1]

Each case is the recipe `vq-vae` with 16 latent dimensions and batches of 200, or another recipe,
and settings of its bottleneck: "rq-vae", "revival=0.1", "dim=8+codes=512". A set is a name or a
path; "clusters" are 128 clusters in 20 dimensions with one group per code. Prints the squared error
on the validation and on the test part, the perplexity of the codebook, and the seconds of training.
"""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

import autoencode as ae
from autoencode.models.recipes.table import RECIPES

CASES = "revival=0,revival=0.1,revival=0.5,revival=0.9"
LATENT = 16


def clusters() -> ae.Data:
    """128 clusters in 20 dimensions; the variance within them, 0.2, is what 128 entries leave."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(128, 20, generator=generator)
    chosen = torch.randint(128, (10_000,), generator=generator)
    x = centres[chosen] + 0.1 * torch.randn(10_000, 20, generator=generator)
    return ae.load_data(x.numpy(), scale="standard")


def recipe_of(case: str, grouped: bool) -> ae.Recipe:
    """The recipe of a case: its name, or settings of the bottleneck, or both."""
    words = case.split("+")
    name = words[0] if words[0] in RECIPES else "vq-vae"
    recipe = RECIPES[name].but(sampler=None)
    if name == "vq-vae" or len(words) > 1:
        recipe = recipe.but(latent=LATENT if grouped else 8)
    if not grouped:
        recipe = recipe.set("bottleneck.dim", 8)
    for word in words:
        address, _, value = word.partition("=")
        if value:
            recipe = recipe.set(f"bottleneck.{address}", _value(value))
    return recipe


def measured(case: str, data: ae.Data, steps: int, seed: int, grouped: bool) -> tuple[float, ...]:
    """Validation error, test error, perplexity and seconds of one training."""
    began = time.perf_counter()
    fitted = ae.fit(
        recipe_of(case, grouped),
        data,
        steps=steps,
        batch_size=200,
        seed=seed,
        progress=False,
    )
    seconds = time.perf_counter() - began
    x = data.validation.x
    x = x.float() / 255 if x.dtype == torch.uint8 else x
    restored = fitted.model.eval()(x).images
    error = (restored - x).square().flatten(1).sum(1).mean().item()
    found = ae.evaluate(fitted.model, data, ("reconstruction", "codes"))
    return error, found["squared_error"], found.get("codebook_perplexity", float("nan")), seconds


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main() -> None:
    """Prints one line for each set, case and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="digits,mnist,clusters")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--steps", type=int, default=1440)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for name in given.sets.split(","):
        data = clusters() if name == "clusters" else ae.load_data(name)
        for case in given.cases.split(","):
            for seed in range(given.seeds):
                row = measured(case, data, given.steps, seed, name != "clusters")
                print(
                    f"{name:10} {case:28} {seed}", *(f"{value:9.3f}" for value in row), flush=True
                )


if __name__ == "__main__":
    main()

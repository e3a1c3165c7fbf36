"""Trains every recipe for a few steps, in this process or in those that torchrun started.

    torchrun --nproc-per-node 2 tests/train/distributed_recipes.py FOLDER

Writes the weights of each recipe, `FOLDER/NAME.safetensors`, and `FOLDER/refused.json`: the
recipes that were refused, with the sentence.
"""

import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

import autoencode as ae
from autoencode.data import scaled
from autoencode.errors import AutoencodeError
from autoencode.models.recipes.table import RECIPES
from autoencode.train import final_checks, session

STEPS = 4
# What differs from the recipe: small networks, and what happens late in a training happens early.
CHANGES = {
    "mog-vae": {"prior.after": 2, "prior.components": 3},
    "hierarchical-vae": {"network.stages": 2, "network.width": 4},
    # More vectors than entries: between equal vectors and entries rounding would decide.
    "vq-vae": {"bottleneck.codes": 8},
    "conv-vq-vae": {"bottleneck.codes": 8},
    "pq-vae": {"bottleneck.codes": 8},
    "rq-vae": {"bottleneck.codes": 4, "bottleneck.depth": 2},
    "vae-gan": {"terms.image-critic.width": 4},
    "vq-gan": {"bottleneck.codes": 8, "terms.patch-critic.width": 4},
    # Every example has its label.
    "m2": {"training.labelled": None},
    "m1-m2": {"training.labelled": None},
}
# They quantise each patch of an image.
PATCHES = ("conv-vq-vae", "vq-gan")
SETTINGS = {
    "steps": STEPS,
    "batch_size": 31,  # two processes cannot divide it evenly
    "precision": "float32",
    "compile": "off",
    "validate_every": STEPS,
}


def small(name):
    """The recipe with narrow networks, as far as its network has a width."""
    recipe = RECIPES[name]
    if "hidden" in recipe.network.args and recipe.network.args["hidden"]:
        width = len(recipe.network.args["hidden"])
        recipe = recipe.set("network.hidden", (32, 24, 16)[:width])
    elif recipe.network.kind == "mlp" and "hidden" not in recipe.network.args:
        recipe = recipe.set("network.hidden", (32,))
    if recipe.network.kind in ("conv", "resnet") and "width" not in recipe.network.args:
        recipe = recipe.set("network.width", 4)
    if recipe.latent == 1000:
        recipe = recipe.but(latent=100)
    for address, value in CHANGES.get(name, {}).items():
        recipe = recipe.set(address, value)
    return recipe


def with_noise(data):
    """The data without patches that are equal: between equal vectors rounding would decide."""
    x = data.train.x
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    return replace(data, train=replace(data.train, x=0.8 * x + 0.2 * noise))


def main(folder, names=None):
    data = ae.load_data("digits")
    few = replace(data.train, x=scaled(data.train.x[:200]), y=data.train.y[:200])
    data = replace(data, train=few)
    # Samplers are fitted after the training, in one process.
    session.fit_sampler = lambda *_: None
    final_checks.EXPLODED = math.inf
    first = os.environ.get("RANK", "0") == "0"
    refused = {}
    for name in names or RECIPES:
        try:
            given = with_noise(data) if name in PATCHES else data
            model = ae.fit(small(name), given, **SETTINGS).model
        except AutoencodeError as error:
            refused[name] = str(error)
            continue
        if first:
            save_file(
                {k: v.contiguous() for k, v in model.state_dict().items()},
                folder / f"{name}.safetensors",
            )
    if first:
        (folder / "refused.json").write_text(json.dumps(refused))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2:])

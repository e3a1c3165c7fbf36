"""Trains every recipe for a few steps, in this process or in those that torchrun started.

    torchrun --standalone --nproc-per-node 2 tests/train/distributed_recipes.py FOLDER

Writes the weights of each model, `FOLDER/NAME.safetensors`, and from each process
`FOLDER/RANK.json`: for each model the SHA-256 of its weights, or the sentence that refused it.
"""

import hashlib
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save

import autoencode as ae
from autoencode.data import scaled
from autoencode.errors import AutoencodeError, Pruned
from autoencode.models.recipe import Spec, Weighted
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.priors import learned
from autoencode.train import final_checks, session
from autoencode.train.trainer import Trainer

SETTINGS = {
    "steps": 4,
    "batch_size": 31,  # two processes cannot divide it evenly
    "precision": "float32",
    "compile": "off",
    "warmup": 0,
    "validate_every": 4,
}
# What differs from the recipe: small networks, and what happens late in a training happens early.
CHANGES = {
    "mog-vae": {"prior.after": 2, "prior.components": 3},
    "hierarchical-vae": {"network.stages": 2, "network.width": 4},
    # More vectors than entries: between equal vectors and entries rounding would decide.
    "vq-vae": {"bottleneck.codes": 8},
    "conv-vq-vae": {"bottleneck.codes": 8},
    "pq-vae": {"bottleneck.codes": 8},
    "rq-vae": {"bottleneck.codes": 4, "bottleneck.depth": 2},
    # Sixteen patches: of four, one would be shown, whose attention to itself is 1, and the gradient
    # of its query is rounding.
    "masked-ae": {"network.patch": 2, "corruption.patch": 2, "network.width": 16},
    "vae-gan": {"terms.image-critic.width": 4},
    "vq-gan": {"bottleneck.codes": 8, "terms.patch-critic.width": 4},
    # Every example has its label.
    "m2": {"training.labelled": None},
    "m1-m2": {"training.labelled": None},
}
# They quantise each patch of an image: without noise, many patches are equal.
PATCHES = ("conv-vq-vae", "vq-gan")

VAE, OWN = RECIPES["vae"], str(Path(__file__).with_name("own_networks.py")) + ":Own"
CORRUPTIONS = ("gaussian-noise", "masking", "salt-and-pepper", "occlusion", "masked-patches")
# Recipes and settings of a user.
OTHERS = {
    "accumulated": (RECIPES["wae-mmd"], {"accumulate": 3, "ema": 0.9, "clip": 0.5}),
    "several-samples": (VAE.but(samples=3).set("network.dropout", 0.3), {}),
    "augmented": (VAE, {"augment": 0.5, "flip": True}),
    "stopped": (RECIPES["ae"], {"steps": 40, "lr": 0.5, "validate_every": 1, "patience": 2}),
    "unequal": (RECIPES["ae-deep"], {"batch_size": 3}),
    # The pseudo-inputs are no rows of the batch.
    "vamp-norm": (RECIPES["vamp-vae"].set("network.norm", "batch"), {}),
    "vamp-dropout": (RECIPES["vamp-vae"].set("network.dropout", 0.2), {}),
    **{
        f"own-{kind}": (VAE.but(network=Spec(OWN, {"kind": kind})), {})
        for kind in ("plain", "layers")
    },
    **{name: (RECIPES["ae"].but(corruption=Spec(name)), {}) for name in CORRUPTIONS},
}
REFUSED = {
    **{
        f"own-{kind}": (VAE.but(network=Spec(OWN, {"kind": kind})), {})
        for kind in ("noise", "dropout", "centred", "ranked", "channels")
    },
    # The prior of each example is another one.
    "conditional-prior": (
        RECIPES["cvae"].but(
            prior=Spec("mixture"), terms={**VAE.terms, "match": Weighted("mmd")}, name="mine"
        ),
        {},
    ),
    "small": (VAE, {"batch_size": 1}),
    "small-parts": (VAE, {"batch_size": 31, "accumulate": 6}),
    "compiled": (VAE, {"compile": "on"}),
    "unlabelled": (RECIPES["m2"], {}),
    "elsewhere": (VAE, {}),
    "pruned": (VAE, {}),
}


def small(recipe):
    """The recipe with narrow networks, as far as its network has a width."""
    args, kind = recipe.network.args, recipe.network.kind
    if args.get("hidden"):
        recipe = recipe.set("network.hidden", (32, 24, 16)[: len(args["hidden"])])
    elif kind == "mlp" and "hidden" not in args:
        recipe = recipe.set("network.hidden", (32,))
    if kind in ("conv", "resnet") and "width" not in args:
        recipe = recipe.set("network.width", 4)
    if recipe.latent == 1000:
        recipe = recipe.but(latent=100)
    for address, value in CHANGES.get(recipe.name, {}).items():
        recipe = recipe.set(address, value)
    return recipe


def cases(data, together):
    """Name -> recipe, data and settings of each training."""
    x = data.train.x
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    noisy = replace(data, train=replace(data.train, x=0.8 * x + 0.2 * noise))
    found = {name: (r, noisy if name in PATCHES else data, {}) for name, r in RECIPES.items()}
    found |= {name: (recipe, data, settings) for name, (recipe, settings) in OTHERS.items()}
    if together:
        found |= {name: (recipe, data, settings) for name, (recipe, settings) in REFUSED.items()}
        y = torch.where(torch.arange(len(x)) < 50, data.train.y, -1)
        few = replace(data, train=replace(data.train, y=y))
        found["unlabelled"] = (REFUSED["unlabelled"][0], few, {})
        if os.environ["RANK"] == "1":
            found["elsewhere"] = (VAE, "/nowhere/at/all", {})
    return found


def prune(step, found):
    raise Pruned("Enough")


def main(folder, patch=setattr):
    rank, together = os.environ.get("RANK", "0"), "RANK" in os.environ
    # Samplers are fitted after the training, in one process.
    patch(session, "fit_sampler", lambda *_: None)
    patch(final_checks, "EXPLODED", math.inf)
    # t-SNE of the codes of a model that has hardly learned turns rounding into other clusters.
    ranks = lambda z, k, seed: z[:, 0].argsort().argsort() * k // len(z)  # noqa: E731
    patch(learned, "tsne_clusters", ranks)
    run = Trainer.run

    def run_and_keep(self):
        write(folder / f"{name}.initial.safetensors", self.model)
        run(self)

    def write(path, model):
        tensors = {key: t.contiguous() for key, t in model.state_dict().items()}
        content = save(tensors)
        if rank == "0":
            path.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    if not together:
        patch(Trainer, "run", run_and_keep)
    data = ae.load_data("digits")
    few = replace(data.train, x=scaled(data.train.x[:200]), y=data.train.y[:200])
    found = {}
    for name, (recipe, given, settings) in cases(replace(data, train=few), together).items():
        out = folder / name if name in REFUSED else None
        try:
            fitted = ae.fit(
                small(recipe),
                given,
                out=out,
                on_validation=prune if name == "pruned" else None,
                **{**SETTINGS, **settings},
            )
            digest = write(folder / f"{name}.safetensors", fitted.model)
            found[name] = [fitted.summary["steps"], digest]
        except AutoencodeError as error:
            found[name] = str(error)
    (folder / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))

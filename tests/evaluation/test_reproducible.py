"""Two evaluations of the same weights are equal to the last bit, whatever was drawn before."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autoencode.arguments import argument_value
from autoencode.data import load_data
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.networks import network_class
from autoencode.train import fit

# Evaluates each run of a folder by every measure; the random states differ from process to process.
EVALUATE = """
import json, random, sys, warnings
from pathlib import Path

import numpy, torch

from autoencode.data import load_data
from autoencode.evaluation import MEASURES, evaluate
from autoencode.evaluation.saved import check_records
from autoencode.models.run import load
from test_reproducible import few

seed, folder = int(sys.argv[1]), Path(sys.argv[2])
torch.set_num_threads(1)
warnings.simplefilter("ignore")
data = few(load_data("digits"))
runs = sorted(folder.iterdir(), reverse=bool(seed % 2))
found = {}
for run in runs:
    for start in (random.seed, numpy.random.seed, torch.manual_seed):
        start(seed)
    state = torch.get_rng_state()
    # The measure "space" takes a second, and it is the same code for all recipes.
    measures = [m for m in MEASURES if m != "space" or run.name in ("vae", "sparse-top-k")]
    model = load(run)
    measured = evaluate(model, data, measures, samples=3, images=10)
    # What is written to a cache is accepted when it is read back.
    check_records(measured.records, len(data.test), model.sizes.latent, len(data.classes))
    assert torch.equal(state, torch.get_rng_state()), run
    values = {n: [v.hex() for v in t.double().tolist()] for n, t in measured.per_example().items()}
    found[run.name] = [repr(dict(measured)), repr(measured.to_dict()), values]
print(json.dumps(found, sort_keys=True))
"""


def few(data):
    """The data with 80 training examples, half of them without a label, and 40 test examples."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    counts = {"train": 80, "validation": 20, "test": 40}
    cut = {
        name: replace(part, x=part.x[: counts[name]], y=part.y[: counts[name]])
        for name, part in parts.items()
    }
    half = cut["train"].y.clone()
    half[::2] = -1
    cut["train"] = replace(cut["train"], y=half)
    return replace(data, **cut)


def narrow(recipe):
    """The recipe with narrow layers and a sampler that is hardly fitted."""
    network = recipe.network
    hidden = argument_value(network_class(network.kind), network.args, "hidden")
    small = {"network.hidden": (8,) * len(hidden or ()), "network.width": 2, "sampler.steps": 3}
    for address, value in small.items():
        recipe = recipe.set(address, value) if address in recipe.addresses() else recipe
    return recipe


def evaluated(runs, seed):
    """What a process of its own measures."""
    path = os.pathsep.join([*sys.path, str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE, seed, str(runs)],
        env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# One of each kind of code, and what is fitted or drawn in an evaluation.
SOME = ("ae", "conv-vae", "vq-vae", "cvae", "m2", "aae", "iwae", "vamp-vae", "sparse-top-k")


@pytest.mark.long
@pytest.mark.parametrize(
    "names", [SOME, pytest.param(tuple(RECIPES), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_two_evaluations_of_the_same_weights_are_equal_in_every_bit(names, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runs, data = tmp_path / "runs", few(load_data("digits"))
    for name in names:
        fit(
            narrow(RECIPES[name]), data, steps=3, batch_size=20, out=runs / name, progress=False,
            validate_every=3, checkpoint_every=3, compile="off",
        )  # fmt: skip
    first, second = (evaluated(runs, seed) for seed in ("1", "2"))
    assert first.keys() == set(names)
    different = [name for name in first if first[name] != second[name]]
    assert not different
    assert "terms.match" in first["aae"][0]

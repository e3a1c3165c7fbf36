"""The benchmark of bits per dimension, and how it finds the number of steps."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def steps(monkeypatch):
    """benchmarks/steps.py, with trainings that take 3 s to compile and make 80 images/s."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("steps")

    def fit(recipe, data, *, compile, **settings):
        took = 3.0 if compile == "on" else 0.0
        rate = 80 if compile == "on" else 40
        return SimpleNamespace(summary={"compiling_seconds": took, "images_per_second": rate})

    monkeypatch.setattr(module.ae, "fit", fit, raising=False)
    yield module
    sys.modules.pop("steps")


def test_compiling_is_part_of_the_time(steps):
    recipe = SimpleNamespace(name="made")
    assert steps.steps_in(recipe, None, 10.0, 5, batch_size=8, compile="on") == 70
    assert steps.steps_in(recipe, None, 10.0, 5, batch_size=8, compile="off") == 50
    assert steps.steps_in(recipe, None, 10.0, 5, batch_size=8) == 50


def test_a_time_that_compiling_takes_is_refused_and_the_fix_works(steps):
    recipe = SimpleNamespace(name="made")
    with pytest.raises(SystemExit, match=r"made takes 3 s.*2 s\. Give it more time, or do not"):
        steps.steps_in(recipe, None, 2.0, 5, batch_size=8, compile="on")
    assert steps.steps_in(recipe, None, 2.0, 5, batch_size=8, compile="off") == 10
    assert steps.steps_in(recipe, None, 4.0, 5, batch_size=8, compile="on") == 10


@pytest.mark.long
def test_it_prints_a_row_for_each_model(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3), np.uint8)
    np.savez(tmp_path / "made.npz", x=x, y=np.arange(60) % 3)
    models = ["vae discretised-logistic", "hierarchical discretised-logistic"]
    words = "--minutes 0.001 --compile off --batch-size 8 --images 4 --samples 2 --models"
    command = [sys.executable, BENCHMARKS / "bits.py", tmp_path / "made.npz", *words.split()]
    done = subprocess.run([*command, *models], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(("| vae", "| hier"))]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == models
    assert all(float(row.split(" | ")[3].split()[0]) > 0 for row in rows)

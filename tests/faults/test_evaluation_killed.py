"""Measuring and studying, killed at any moment, lose nothing that was done."""

import hashlib
import json
import shutil
import time

import pytest

from autoencode.evaluation import MEASURES, MetricsCache, evaluate
from autoencode.io.tensors import read_tensors
from autoencode.train import fit

# As many threads as the tests have: sums in another order differ in their last digit.
ONE = {"OMP_NUM_THREADS": "1"}


def waits_for(process, folder, files, bound=60):
    """Until so many files lie in a folder."""
    deadline = time.monotonic() + bound
    while time.monotonic() < deadline:
        if len(list(folder.glob("*.safetensors"))) >= files:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{folder} has no {files} files")


@pytest.mark.slow
def test_an_evaluation_that_is_killed_goes_on(digits, start, ended, tmp_path):
    run = fit("vae", digits, steps=40, out=tmp_path / "r", progress=False).run
    weights = hashlib.sha256(run.weights.read_bytes()).hexdigest()
    whole = evaluate(run.load_model(), digits, MEASURES, samples=50, images=40)
    measured = ("--samples", "50", "--images", "40", "--projection", "none")
    for done in (1, 4):
        process = start("evaluate", "r", *measured, env=ONE)
        waits_for(process, tmp_path / "r" / "evaluation", done)
        process.kill()
        process.wait()
        kept = {path: path.stat().st_mtime_ns for path in (run.folder / "evaluation").iterdir()}
        assert all(read_tensors(path) for path in kept if path.suffix == ".safetensors")
    ended(start("evaluate", "r", *measured, env=ONE), 0)
    intact = {path: time_ for path, time_ in kept.items() if path.suffix == ".safetensors"}
    assert all(path.stat().st_mtime_ns == time_ for path, time_ in intact.items())
    assert (
        evaluate(run.load_model(), digits, MEASURES, MetricsCache(run), samples=50, images=40)
        == whole
    )
    assert run.metrics()["nll"] == whole["nll"]
    assert hashlib.sha256(run.weights.read_bytes()).hexdigest() == weights


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on(start, ended, tmp_path):
    words = (
        "study",
        "beta",
        "--data",
        "digits",
        "--steps",
        "150",
        "--workers",
        "1",
        "--seeds",
        "1",
    )
    ended(start(*words, "--out", "whole"), 0)
    process = start(*words, "--out", "cut")
    deadline = time.monotonic() + 60
    runs = tmp_path / "cut" / "runs"
    while time.monotonic() < deadline and len(list(runs.glob("*/metrics.json"))) < 3:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert 3 <= len(list(runs.glob("*/metrics.json"))) < 8
    ended(start(*words, "--out", "cut"), 0)
    found = [json.loads((tmp_path / name / "study.json").read_text()) for name in ("whole", "cut")]
    assert found[0]["findings"] == found[1]["findings"]
    shutil.rmtree(tmp_path / "cut")

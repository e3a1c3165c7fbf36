"""Runs that are measured on many workers have the figures of one process."""

import importlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

import autoencode as ae
from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation.of_runs import measure_run
from autoencode.models.run import open_run
from autoencode.scale.measuring import measure_many

pytestmark = pytest.mark.long
MEASURES = ["reconstruction", "pca", "codes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three runs on two data sets, not measured."""
    out = tmp_path_factory.mktemp("runs")
    digits, table = ae.load_data("digits"), tmp_path_factory.mktemp("data") / "table.csv"
    rows = np.random.default_rng(0).normal(size=(60, 4)).round(3)
    table.write_text("a,b,c,d\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows))
    ae.fit("ae", digits, latent=2, steps=5, out=out / "ae", progress=False)
    ae.fit("vae", digits, latent=2, steps=5, out=out / "vae", progress=False)
    ae.fit("ae", table, latent=2, steps=5, out=out / "table", progress=False)
    return out


def runs_in(folder):
    return [open_run(path) for path in sorted(folder.iterdir())]


def test_the_figures_are_those_of_one_process(folder, tmp_path, monkeypatch, cluster):
    for name in ("here", "there"):
        shutil.copytree(folder, tmp_path / name)
    alone = [
        measure_run(run, run.load_data(), run.load_model(), MEASURES)
        for run in runs_in(tmp_path / "here")
    ]
    runs = runs_in(tmp_path / "there")
    measure_many(runs, MEASURES, {}, cluster=cluster)
    # Nothing is measured any more.
    module = importlib.import_module("autoencode.evaluation.evaluate")
    monkeypatch.setattr(module, "_measured", None)
    found = [measure_run(run, run.load_data(), run.load_model(), MEASURES) for run in runs]
    for each, other in zip(found, alone, strict=True):
        two, one = (
            {k: v for k, v in e.to_dict().items() if type(v) is float} for e in (each, other)
        )
        assert len(two) > 5
        assert two == pytest.approx(one, rel=1e-4)


def test_what_fails_in_a_worker_is_its_own_sentence(folder, tmp_path, cluster):
    shutil.copytree(folder, tmp_path / "runs")
    runs = runs_in(tmp_path / "runs")
    weights = tmp_path / "runs" / "vae" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(RunError, match=r"vae/weights\.safetensors"):
        measure_many(runs, MEASURES, {}, cluster=cluster)
    shutil.copy(folder / "vae" / weights.name, weights)
    with pytest.raises(AutoencodeError, match='no measure "reconstructed"'):
        measure_many(runs, ["reconstructed"], {}, cluster=cluster)
    shutil.rmtree(tmp_path / "runs" / "ae")
    with pytest.raises(RunError, match=r"does not see .*/runs/ae"):
        measure_many(runs, MEASURES, {}, cluster=cluster)


def test_the_command(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "runs")

    def said(*words):
        done = subprocess.run(
            [sys.executable, "-m", "autoencode", "compare", "runs/ae", "runs/vae", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        return done.returncode, done.stdout + done.stderr

    code, text = said("--workers", "2", "--out", "two")
    assert code == 0, text
    assert "MSE" in text
    code, text = said("--out", "one")
    assert code == 0, text
    two, one = (
        json.loads((tmp_path / name / "compare.json").read_text()) for name in ("two", "one")
    )
    assert two == one
    code, text = said("--workers", "2", "--data", "digits", "--out", "three")
    assert code == 2
    assert "Leave out --data, or --workers and --cluster." in text

"""Cached metrics, `metrics.json` and projections of wrong content, with a right checksum."""

import json
import shutil

import pytest
import torch
from hypothesis import strategies as st

from autoencode.cli.measure import summary_lines
from autoencode.data import load_data
from autoencode.errors import AutoencodeError
from autoencode.evaluation import MetricsCache, evaluate, projected, saved_projection
from autoencode.io.store import write_json
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.report import write_card
from autoencode.report.pages.details import headline_details, metric_groups, metrics_table
from autoencode.train import fit

pytestmark = pytest.mark.long
MEASURES = ["reconstruction", "pca", "objective", "codes"]


@pytest.fixture(scope="module", params=["digits", "table"])
def measured(request, tmp_path_factory, example_table):
    """A run with cached metrics, its data, and its model."""
    folder = tmp_path_factory.mktemp("measured") / "run"
    data = load_data("digits") if request.param == "digits" else load_data(example_table)
    recipe = RECIPES["denoising-vae" if request.param == "digits" else "vae"]
    recipe = recipe.set("network.hidden", (8,))
    fitted = fit(recipe, data, latent=3, steps=3, batch_size=20, out=folder, progress=False)
    found = evaluate(fitted.model, data, MEASURES, MetricsCache(fitted.run))
    write_json(folder / "metrics.json", found.to_dict())
    return fitted.run, data, fitted.model


@pytest.fixture(scope="module")
def example_table(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    rows = [f"{i % 7},{i * i % 11 / 3},{'abc'[i % 3]}" for i in range(200)]
    path.write_text("\n".join(["a,b,kind", *rows]))
    return path


def damages(damaged_json, damaged_tensors, path):
    tensors, meta = read_tensors(path)
    return st.tuples(damaged_tensors(tensors), st.one_of(st.just(meta), damaged_json(meta)))


@pytest.mark.parametrize("name", ["reconstruction", "pca"])
def test_cached_metrics(fuzz, damaged_json, damaged_tensors, measured, name):
    run, data, model = measured
    path = run.folder / "evaluation" / f"{name}.safetensors"
    content = path.read_bytes()

    def read(value):
        write_tensors(path, *value)
        try:
            metrics = evaluate(model, data, MEASURES, MetricsCache(run)).to_dict()
        except AutoencodeError as error:  # a cache is no reason to refuse
            raise AssertionError from error
        json.dumps(metrics, allow_nan=False)
        list(summary_lines(run, metrics))
        headline_details(run, model, metrics)
        metric_groups(metrics), metrics_table(metrics)

    fuzz(damages(damaged_json, damaged_tensors, path), read)
    path.write_bytes(content)


def test_metrics_json(fuzz, damaged_json, measured):
    run, _, _ = measured
    folder = run.folder.parent / "json"
    shutil.copytree(run.folder, folder)
    copied = open_run(folder)
    content = json.loads((folder / "metrics.json").read_text())

    def read(value):
        (folder / "metrics.json").write_text(json.dumps(value))
        write_card(copied)

    read(content)  # what an evaluation wrote is taken
    fuzz(damaged_json(content), read)


def test_projections(fuzz, damaged_json, damaged_tensors, measured):
    run, data, model = measured
    projected(run, data, model, "pca")
    path = run.folder / "projections" / "pca.safetensors"

    def read(value):
        write_tensors(path, *value)
        if (found := saved_projection(run, "pca")) is not None:
            assert found.points.dtype == torch.float32
            assert bool(found.points.isfinite().all())
            assert int(found.rows.max()) < found.of
        assert projected(run, data, model, "pca").of == len(data.test)

    fuzz(damages(damaged_json, damaged_tensors, path), read)

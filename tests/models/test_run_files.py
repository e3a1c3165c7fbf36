"""What is read from the files of a run is what a training and an evaluation write."""

import json

import pytest
import torch

from autoencode.errors import RunError
from autoencode.io.store import write_tensors
from autoencode.models import run as run_module
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.models.run_files import read_log, read_metrics
from autoencode.train import fit

METRICS = {
    "n_test": 30,
    "squared_error": 2.5,
    "squared_error_per_pixel": 0.1,
    "kl_per_dimension": [1, 2.5],
    "worst_examples": [3, 4],
    "worst_names": ["a", "b"],
    "worst_errors": [9.0, 8.0],
    "terms": {"kl": 1.5},
    "units": {"squared_error": "squared error"},
    "notes": {},
    "intervals": {"squared_error": [2.0, 3.0]},
    "data": "digits",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_test": -1}, "n_test must be"),
        ({"n_test": None}, "n_test must be"),
        ({"data": 3}, "data must be a text"),
        ({"terms": [1]}, "terms must be an object"),
        ({"terms": {"kl": "much"}}, "terms.kl must be"),
        ({"units": None}, "units must be an object"),
        ({"intervals": {"squared_error": [1.0]}}, "intervals.squared_error must be two"),
        ({"intervals": {"squared_error": 1.0}}, "intervals.squared_error must be"),
        ({"squared_error": [2.5]}, "squared_error must be"),
        ({"squared_error": True}, "squared_error must be"),
        ({"kl_per_dimension": 2.5}, "kl_per_dimension must be"),
        ({"kl_per_dimension": ["a"]}, "kl_per_dimension must be"),
        ({"worst_examples": [-1, 0]}, "worst_examples must be"),
        ({"worst_names": ["a"]}, "of different lengths"),
        ({"restored_squared_error": 1.0}, "corrupted_squared_error is missing"),
    ],
    ids=str,
)
def test_metrics_that_are_none_are_refused(tmp_path, change, words):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(METRICS))
    assert read_metrics(path) == METRICS
    path.write_text(json.dumps({**METRICS, **change}))
    with pytest.raises(RunError, match=rf"metrics\.json is not valid: .*{words}.* autoencode eval"):
        read_metrics(path)


def test_metrics_that_are_no_json_are_measured_again(tmp_path):
    path = tmp_path / "metrics.json"
    assert read_metrics(path) is None
    path.write_text("{")
    with pytest.raises(RunError, match=r"Measure the run again: autoencode evaluate"):
        read_metrics(path)


TRAINED = {"step": 1, "loss": 2, "squared_error": 1.0, "terms": {"kl": 1.0}}
TRAINED |= {"seconds": 0.1, "images_per_second": 10}
VALIDATED = {"step": 1, "validation": {"loss": 2.0, "squared_error": 1.0, "terms": {}}}


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"step": 2},
        {**TRAINED, "step": "1"},
        {**TRAINED, "step": -1},
        {**TRAINED, "step": 1.5},
        {**TRAINED, "loss": None},
        {**TRAINED, "terms": [1]},
        {**TRAINED, "terms": {"kl": "much"}},
        {**VALIDATED, "validation": 3},
        {**VALIDATED, "validation": {"loss": 1.0}},
    ],
    ids=str,
)
def test_the_log_ends_at_a_line_that_is_none(tmp_path, line):
    path = tmp_path / "log.jsonl"
    whole = [TRAINED, VALIDATED, {**TRAINED, "loss": float("inf")}]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in (*whole, line, TRAINED)))
    assert read_log(path) == whole


def test_weights_are_compared_before_a_model_is_made(digits, tmp_path, monkeypatch):
    recipe = RECIPES["ae"].set("network.hidden", (8,))
    run = fit(recipe, digits, out=tmp_path / "run", steps=2, progress=False).run
    monkeypatch.setattr(run_module, "build", None)
    path = tmp_path / "run" / "recipe.json"
    path.write_text(path.read_text().replace("8", "20000"))
    with pytest.raises(RunError, match=r"is \[8, 64\] and not \[20000, 64\]"):
        open_run(tmp_path / "run").load_model()
    write_tensors(run.weights, {"x": torch.zeros(1)}, {})
    with pytest.raises(RunError, match=r"body\.0\.weight is missing"):
        run.load_model()


def test_sizes_that_are_not_those_of_the_preprocessing_are_refused(digits, tmp_path):
    fit("ae", digits, out=tmp_path / "run", steps=2, progress=False)
    path = tmp_path / "run" / "run.json"
    record = json.loads(path.read_text())
    record["sizes"]["x"] = [8] * 8
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"sizes\.x is \[8, 8, 8, 8, 8, 8, 8, 8\]"):
        open_run(tmp_path / "run")

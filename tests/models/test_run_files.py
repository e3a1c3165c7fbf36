"""What is read from the files of a run is what a training and an evaluation write."""

import json

import pytest
import torch

from autoencode.data import Preprocessing
from autoencode.errors import RecipeError, RunError
from autoencode.io.tensors import write_tensors
from autoencode.models import run as run_module
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit


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


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": []},
        {"raw_shape": [28]},
        {"raw_shape": [1, 28, 28]},
        {"low": [0.0, 0.0]},
        {"low": [0.0, 1.0], "high": [1.0]},
        {"shape": [784], "raw_shape": [28, 28]},
        {"shape": [784], "raw_shape": [7]},
        {"shape": [3, 4, 4], "raw_shape": None, "high": [1.0, 1.0]},
        {"columns": [{"name": "a"}], "shape": [2], "raw_shape": None},
    ],
)
def test_entries_of_a_preprocessing_that_do_not_fit_each_other(changes):
    whole = Preprocessing((28, 28), raw_shape=(28, 28)).to_dict()
    assert str(Preprocessing.from_dict(whole))
    with pytest.raises(RecipeError, match=r"^preprocessing: "):
        Preprocessing.from_dict({**whole, **changes})


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"raw_shape": 28}, "raw_shape is no list"),
        ({"shape": 784}, "shape is no list"),
        ({"classes": "cat"}, "classes is no list"),
        ({"columns": {"name": "a"}}, "columns is no list"),
        ({"raw_type": ["uint8"]}, "raw_type is a list"),
        ({"missing": [True]}, "missing is a list"),
        ({"binarise": ["dynamic"]}, "binarise is a list"),
    ],
)
def test_lists_stand_where_lists_belong(changes, what):
    whole = Preprocessing((28, 28), raw_shape=(28, 28)).to_dict()
    with pytest.raises(RecipeError, match=f"^preprocessing.{what}"):
        Preprocessing.from_dict({**whole, **changes})

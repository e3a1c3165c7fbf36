"""The moving average of the weights, and batches whose gradients are added up part by part."""

import pytest
import torch

from autoencode.errors import RecipeError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.snapshots import load_snapshot, snapshots_of
from autoencode.train import fit
from autoencode.train import trainer as trainer_module
from autoencode.train.session import continued_session


def small(name, **changes):
    recipe = RECIPES[name]
    for address, value in {"network.hidden": (16,), **changes}.items():
        recipe = recipe.set(address, value)
    return recipe


def followed(monkeypatch):
    """The weights and buffers after each update, while they are trained."""
    found, update = [], trainer_module.Trainer.update

    def noted(self):
        if not found:
            found.append({k: v.clone() for k, v in self.state.objective.state_dict().items()})
        output = update(self)
        found.append({k: v.clone() for k, v in self.state.objective.state_dict().items()})
        return output

    monkeypatch.setattr(trainer_module.Trainer, "update", noted)
    return found


@pytest.mark.parametrize(
    ("name", "decay", "settings"),
    [
        ("ae", 0.5, {}),
        ("vae", 0.9, {"precision": "bf16"}),
        ("ae-deep", 0.7, {}),  # with the statistics of batch normalisation
        ("vae", 0.0, {"clip": 1.0}),
        pytest.param("aae", 0.8, {}, marks=pytest.mark.long),  # with a critic
        pytest.param("ae", 0.99, {"compile": "on"}, marks=pytest.mark.long),
    ],
)
def test_the_model_has_the_average(name, decay, settings, digits, monkeypatch):
    if "compile" in settings:
        monkeypatch.setattr("autoencode.train.compile.step.compiled", lambda graph, inputs: graph)
    weights = followed(monkeypatch)
    model = fit(small(name), digits, steps=25, ema=decay, progress=False, **settings).model
    wanted = {k: v.double() for k, v in weights[0].items()}
    for t, now in enumerate(weights[1:], 1):
        kept = min(decay, t / (t + 9))
        for k, v in now.items():
            mean = kept * wanted[k] + (1 - kept) * v.double()
            wanted[k] = mean if v.is_floating_point() else v.double()
    for k, v in model.state_dict().items():
        mean = wanted[f"model.{k}"]
        torch.testing.assert_close(v.double(), mean, rtol=1e-5, atol=1e-6)
        if decay and v.is_floating_point() and v.numel() > 1 and v.std() > 0:
            assert not torch.equal(v, weights[-1][f"model.{k}"]), k


def test_validation_and_snapshots_use_the_average_and_training_does_not(digits, tmp_path):
    settings = {"steps": 30, "validate_every": 10, "snapshots": 3, "progress": False}
    plain = fit(small("ae"), digits, out=tmp_path / "plain", **settings)
    mean = fit(small("ae"), digits, out=tmp_path / "mean", ema=0.9, **settings)

    def log(fitted, key):
        return [line[key] for line in fitted.run.log() if key in line]

    assert log(mean, "loss") == log(plain, "loss")
    assert [v["loss"] for v in log(mean, "validation")] != [
        v["loss"] for v in log(plain, "validation")
    ]
    *_, last = snapshots_of(mean.run).values()
    kept = load_snapshot(mean.run, last).state_dict()
    for k, v in mean.model.state_dict().items():
        torch.testing.assert_close(kept[k], v, rtol=1e-3, atol=1e-3)  # kept in half precision


def test_a_continued_training_begins_at_the_critics_of_its_run(digits, tmp_path):
    run = fit(small("aae"), digits, out=tmp_path / "run", steps=3, ema=0.5, progress=False).run
    state = continued_session(run, digits, {"steps": 2}, tmp_path / "more", False).trainer.state
    for name, tensor in state.objective.state_dict().items():
        assert torch.equal(state.average.tensors[name], tensor), name


@pytest.mark.parametrize(
    ("parts", "changes"),
    [
        (3, {}),
        (50, {}),
        (7, {"context": "labels"}),
        pytest.param(1, {}, marks=pytest.mark.long),
        pytest.param(2, {"context": "labels"}, marks=pytest.mark.long),
    ],
)
def test_parts_of_a_batch_give_the_update_of_the_batch(parts, changes, digits):
    """For terms that are means over examples, and without random numbers."""
    settings = {"steps": 5, "batch_size": 50, "precision": "float32", "progress": False}
    recipe = small("contractive-ae" if not changes else "ae", **changes)
    whole = fit(recipe, digits, **settings)
    found = fit(recipe, digits, accumulate=parts, **settings)
    for k, v in whole.model.state_dict().items():
        torch.testing.assert_close(found.model.state_dict()[k], v, rtol=1e-4, atol=1e-5)


def test_the_log_has_means_over_all_parts(digits, tmp_path):
    settings = {"steps": 1, "batch_size": 50, "precision": "float32", "progress": False}
    logs = []
    for parts in (1, 3):
        out = tmp_path / str(parts)
        fitted = fit(small("contractive-ae"), digits, out=out, accumulate=parts, **settings)
        logs.append(next(line for line in fitted.run.log() if "loss" in line))
    assert logs[0].keys() == logs[1].keys()
    for key in ("loss", "squared_error"):
        assert logs[1][key] == pytest.approx(logs[0][key], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("aae", {"accumulate": 2}, "critic"),
        ("ae", {"accumulate": 300}, "cannot have 300 parts"),
        ("ae-deep", {"accumulate": 200}, "at least two"),
        ("ae", {"accumulate": 2, "compile": "on"}, "accumulated"),
        ("ae", {"ema": 1.0}, "ema"),
    ],
)
def test_what_has_no_meaning_is_refused(name, settings, why, digits):
    with pytest.raises(RecipeError, match=why):
        fit(small(name), digits, steps=3, progress=False, **settings)

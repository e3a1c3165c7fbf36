"""The critics of a training are kept with its run, and evaluation uses them or says so."""

import filecmp
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autoencode.evaluation import MetricsCache, evaluate
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load
from autoencode.train import fit, resume
from autoencode.train.trainer import Trainer

pytestmark = pytest.mark.long

FILE = "critics.safetensors"
# Recipe, changes, and the terms that have a critic.
CASES = {
    "aae": ("aae", {}, {"match"}),
    "aae-uniform": ("aae-uniform", {}, {"match"}),
    "factor-vae": ("factor-vae", {}, {"correlation"}),
    "vae-gan": ("vae-gan", {"network.width": 4}, {"image-critic"}),
    "added": ("vae", {"terms.extra": "match-prior"}, {"extra"}),
    "two": ("factor-vae", {"terms.extra": "match-prior"}, {"extra", "correlation"}),
}


def trained(data, case="aae", out=None, **settings):
    name, changes, _ = CASES[case]
    recipe = RECIPES[name]
    for address, value in {"network.hidden": (8,), **changes}.items():
        if not address.startswith("network") or address in recipe.addresses():
            recipe = recipe.set(address, value)
    settings = {"steps": 20, "batch_size": 30, **settings}
    return fit(recipe, data, latent=2, out=out, progress=False, **settings)


@pytest.fixture(scope="module")
def few(digits):
    parts = {name: getattr(digits, name) for name in ("train", "validation", "test")}
    cut = {n: replace(part, x=part.x[:60], y=part.y[:60]) for n, part in parts.items()}
    return replace(digits, fingerprint="few digits", **cut)


@pytest.fixture(scope="module")
def original(few, tmp_path_factory):
    folder = tmp_path_factory.mktemp("critics") / "aae"
    return trained(few, out=folder)


@pytest.fixture
def copy(original, tmp_path):
    """The run, whose files may be changed."""
    folder = tmp_path / "aae"
    folder.mkdir()
    for path in original.run.folder.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    return replace(original.run, folder=folder)


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_run_is_measured_with_the_critics_of_its_training(case, few, tmp_path):
    fitted = trained(few, case, tmp_path / "run")
    first = evaluate(fitted.model, few, ["objective"])
    assert {f"terms.{name}" for name in CASES[case][2]} < set(first)
    assert "loss" in first
    assert not first.left_out
    torch.manual_seed(7)  # whatever was drawn before must not matter
    assert evaluate(load(tmp_path / "run"), few, ["objective"]) == first
    assert evaluate(fitted.model, few, ["objective"]) == first


@pytest.mark.parametrize("case", ["aae", "aae-uniform"])  # no noise enters their losses
def test_the_last_validation_is_what_evaluation_finds(case, few, tmp_path):
    fitted = trained(few, case, tmp_path / "run", steps=30)
    line = fitted.run.log()[-1]["validation"]
    found = evaluate(fitted.model, replace(few, test=few.validation), ["objective"])
    assert found["terms.match"] == pytest.approx(line["terms"]["match"], rel=1e-5)
    assert found["loss"] == pytest.approx(line["loss"], rel=1e-5)


def test_early_stopping_keeps_the_critic_of_the_best_weights(few):
    settings = {"steps": 40, "validate_every": 5, "patience": 4, "lr": 0.3}
    fitted = trained(few, **settings)
    losses = []
    critics = fitted.model.critics
    with pytest.MonkeyPatch.context() as patch:
        report = Trainer.report

        def listening(self, line):
            if "validation" in line:
                state = {k: v.clone() for k, v in self.state.objective.terms.state_dict().items()}
                losses.append((line["validation"]["loss"], state))
            report(self, line)

        patch.setattr(Trainer, "report", listening)
        trained(few, **settings)
    best = min(range(len(losses)), key=lambda i: losses[i][0])
    assert best < len(losses) - 1, "the last weights are not the best"
    assert all(torch.equal(critics[name], losses[best][1][name]) for name in critics)


def test_two_equal_trainings_write_the_same_bytes(original, few, tmp_path):
    trained(few, out=tmp_path / "again")
    for name in ("weights.safetensors", FILE):
        assert filecmp.cmp(original.run.folder / name, tmp_path / "again" / name, shallow=False)


@pytest.mark.parametrize("name", ["ae", "vae", "info-vae"])
def test_a_model_without_critics_has_no_file_of_them(name, few, tmp_path):
    fit(RECIPES[name].set("network.hidden", (8,)), few, out=tmp_path / "run", steps=2)
    assert not (tmp_path / "run" / FILE).exists()
    assert load(tmp_path / "run").critics is None


def test_a_run_that_is_shared_without_its_critics_is_measured_without_them(copy, few, original):
    (copy.folder / FILE).unlink()
    model = load(copy.folder)  # warnings are errors
    found = evaluate(model, few)
    whole = evaluate(original.model, few)
    assert set(whole) - set(found) == {"loss", "terms.match"} == set(found.left_out)
    assert set(found.left_out.values()) == {
        "needs the critics of the training, which this run does not have"
    }
    assert all(whole[name] == value for name, value in found.items())


def change(tensors, meta, value):
    name = next(iter(tensors))
    return tensors | {name: value(tensors[name])}, meta


DAMAGES = {
    "not a number": lambda t, m: change(t, m, lambda old: old.fill_(torch.nan)),
    "infinite": lambda t, m: change(t, m, lambda old: old.fill_(-torch.inf)),
    "float64": lambda t, m: change(t, m, torch.Tensor.double),
    "integers": lambda t, m: change(t, m, torch.Tensor.int),
    "another shape": lambda t, m: change(t, m, lambda old: old[:1]),
    "one more": lambda t, m: (t | {"stray": torch.zeros(2)}, m),
    "one less": lambda t, m: (dict(list(t.items())[1:]), m),
    "none": lambda t, m: ({}, m),
    "other weights": lambda t, m: (t, m | {"weights": "0" * 64}),
    "no weights": lambda t, m: (t, {}),
    "a list": lambda t, m: (t, []),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_critics_of_wrong_content_are_left_out_with_a_warning(damage, copy, few):
    path = copy.folder / FILE
    write_tensors(path, *DAMAGES[damage](*read_tensors(path)))
    with pytest.warns(UserWarning, match="evaluation leaves out what needs them") as told:
        model = load(copy.folder)
    assert len(told) == 1
    assert str(path) in str(told[0].message)
    assert set(evaluate(model, few, ["objective"]).left_out) == {"loss", "terms.match"}


@pytest.mark.parametrize("cut", [0, 9, 100, -1])
def test_a_damaged_file_of_critics_is_no_obstacle(cut, copy, few):
    path = copy.folder / FILE
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.warns(UserWarning, match=f"{FILE} is damaged"):
        model = load(copy.folder)
    assert "terms.match" not in evaluate(model, few, ["objective"])


REPLACED = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to a folder": lambda path: path.symlink_to(".."),
    "giant": lambda path: (path.touch(), os.truncate(path, 2**42)),
}


@pytest.mark.parametrize("kind", REPLACED)
def test_what_is_no_file_of_critics_is_no_obstacle(kind, copy, few):
    (copy.folder / FILE).unlink()
    REPLACED[kind](copy.folder / FILE)
    with pytest.warns(UserWarning, match="evaluation leaves out what needs them"):
        model = load(copy.folder)
    found = evaluate(model, few, ["objective"], MetricsCache(copy))
    assert set(found.left_out) == {"loss", "terms.match"}


def test_critics_of_another_training_are_not_used(copy, few, tmp_path):
    other = trained(few, out=tmp_path / "other", seed=1).run
    (copy.folder / FILE).write_bytes((other.folder / FILE).read_bytes())
    with pytest.warns(UserWarning, match="they were trained with other weights"):
        assert load(copy.folder).critics is None


def test_cached_figures_of_critics_are_those_of_the_file(copy, few):
    path = copy.folder / FILE

    def measured():
        return evaluate(load(copy.folder), few, ["objective"], MetricsCache(copy))

    whole, content = measured(), path.read_bytes()
    path.unlink()
    without = measured()
    assert "loss" in whole
    assert "loss" not in without
    path.write_bytes(content)
    assert measured() == whole


def test_a_training_that_goes_on_begins_with_the_trained_critic(copy, few, capsys):
    seen, critics = [], load(copy.folder).critics
    with pytest.MonkeyPatch.context() as patch:
        run = Trainer.run

        def begun(self):
            seen.append({k: v.clone() for k, v in self.state.objective.terms.state_dict().items()})
            run(self)

        patch.setattr(Trainer, "run", begun)
        resume(copy.folder, data=few, steps=2)
        assert "begin untrained" not in capsys.readouterr().err
        (copy.folder / FILE).unlink()
        resume(copy.folder, data=few, steps=2)
        assert "the critics of its training: they begin untrained" in capsys.readouterr().err
    with_critics, without = seen
    assert all(torch.equal(with_critics[name], critics[name]) for name in critics)
    assert not all(torch.equal(without[name], critics[name]) for name in critics)

"""Finished runs that are trained for more steps."""

import json

import pytest
import torch

from autoencode.errors import Interrupted, RecipeError, RunError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit, resume
from autoencode.train.trainer import Trainer

SHORT = {"steps": 30, "batch_size": 50, "precision": "float32", "progress": False}
SMALL = RECIPES["vae"].set("network.hidden", (16,))


@pytest.fixture
def done(digits, tmp_path):
    return fit(SMALL, digits, out=tmp_path / "first", **SHORT).run


def test_a_finished_run_is_trained_on_into_a_new_one(done, tmp_path, capsys):
    before = {p: p.read_bytes() for p in done.folder.rglob("*") if p.is_file()}
    fitted = resume(done.folder, steps=20, out=tmp_path / "second", progress=False)
    said = capsys.readouterr().err
    assert "from its weights at step 30, with a new optimiser" in said
    assert {p: p.read_bytes() for p in done.folder.rglob("*") if p.is_file()} == before
    run = open_run(tmp_path / "second")
    assert run.status == "done"
    assert run.summary["steps"] == 50
    assert run.summary["epochs"] == pytest.approx(50 * 50 / len(fitted.data.train), abs=0.01)
    assert run.summary["seconds"] >= done.summary["seconds"]
    steps = [line["step"] for line in run.log() if "loss" in line]
    assert steps == list(range(1, 51))
    assert run.log()[: len(done.log())] == done.log()


def test_it_begins_with_the_weights_and_a_new_learning_rate(done):
    fitted = resume(done.folder, steps=3, lr=0.0, progress=False)
    for name, tensor in done.load_model().state_dict().items():
        assert torch.equal(fitted.model.state_dict()[name], tensor), name
    assert fitted.run is None
    assert not fitted.model.training


def test_the_learning_rate_begins_anew(done, tmp_path):
    resume(done.folder, steps=10, warmup=5, lr=1e-4, out=tmp_path / "b", progress=False)
    rates = [
        each["lr"] for each in open_run(tmp_path / "b").log() if each["step"] > 30 and "lr" in each
    ]
    assert rates[0] == pytest.approx(1e-4 / 5)
    assert max(rates) == pytest.approx(1e-4)
    assert rates[-1] < 2e-5


@pytest.mark.parametrize("settings", [{"epochs": 1}, {"steps": 5, "batch_size": 20}])
def test_steps_and_epochs_are_counted_from_the_end(done, settings):
    fitted = resume(done.folder, progress=False, **settings)
    size = settings.get("batch_size", 50)
    n = len(fitted.data.train)
    more = settings.get("steps", -(-n // size))
    assert fitted.summary["steps"] == 30 + more
    assert fitted.summary["epochs"] == pytest.approx((30 * 50 + more * size) / n, abs=0.02)


@pytest.mark.long
def test_schedules_of_the_recipe_go_on(digits, tmp_path):
    recipe = SMALL.set("schedules.terms.kl.weight", (0.0, 40))
    seen = []
    fit(recipe, digits, out=tmp_path / "a", **SHORT)
    original = Trainer.update

    def update(self):
        found = original(self)
        seen.append(self.state.objective.weights["kl"])
        return found

    Trainer.update = update
    try:
        resume(tmp_path / "a", steps=20, progress=False)
    finally:
        Trainer.update = original
    assert seen == pytest.approx([min(1.0, step / 40) for step in range(30, 50)])


@pytest.mark.long
def test_an_interrupted_continuation_is_resumed_bit_for_bit(done, tmp_path, monkeypatch):
    whole = resume(done.folder, steps=20, out=tmp_path / "whole", progress=False)
    original = Trainer.update

    def stopping(self):
        if self.step == 41:
            self.interrupt(15)
        return original(self)

    monkeypatch.setattr(Trainer, "update", stopping)
    with pytest.raises(Interrupted):
        resume(done.folder, steps=20, out=tmp_path / "cut", progress=False)
    monkeypatch.undo()
    rest = resume(tmp_path / "cut", progress=False)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(rest.model.state_dict()[name], tensor), name
    assert rest.summary["steps"] == 50


@pytest.mark.long
def test_a_continued_run_can_be_continued(done, tmp_path):
    resume(done.folder, steps=5, out=tmp_path / "b", progress=False)
    third = resume(tmp_path / "b", steps=5, out=tmp_path / "c", progress=False)
    assert third.summary["steps"] == 40
    steps = [line["step"] for line in open_run(tmp_path / "c").log() if "loss" in line]
    assert steps == list(range(1, 41))


def test_the_run_itself_is_replaced_only_when_asked(done):
    with pytest.raises(RunError, match="--overwrite"):
        resume(done.folder, steps=5, out=done.folder, progress=False)
    assert open_run(done.folder).summary["steps"] == 30
    resume(done.folder, steps=5, out=done.folder, overwrite=True, progress=False)
    assert open_run(done.folder).summary["steps"] == 35
    assert open_run(done.folder).load_model() is not None


def test_what_has_no_meaning_is_refused(done, digits, tmp_path):
    with pytest.raises(RunError, match=r"train --continue .*ae\.resume\("):
        resume(done.folder)
    with pytest.raises(RunError, match="--init out"):
        resume(done.folder, steps=3, init=str(done.folder))
    with pytest.raises(RecipeError, match="Did you mean"):
        resume(done.folder, steps=3, warmpu=3)
    record = json.loads((done.folder / "run.json").read_text())
    record["status"] = "interrupted"
    (done.folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match="Finish it first"):
        resume(done.folder, steps=3)


def test_freezing_while_continuing(done):
    fitted = resume(done.folder, steps=5, freeze="decoder", progress=False)
    before = done.load_model().decoder.state_dict()
    assert all(torch.equal(before[k], v) for k, v in fitted.model.decoder.state_dict().items())

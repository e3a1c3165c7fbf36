"""When a step is compiled, and trainings whose step was."""

import json

import pytest
import torch
from traced_steps import SMALL, advance, traced, trainer_of

from autoencode.errors import RecipeError
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit, resume
from autoencode.train import trainer as trainer_module
from autoencode.train.compile.step import CompiledStep
from autoencode.train.trainer import Trainer


def test_what_moves_is_not_compiled(digits):
    moving = RECIPES["vae"].but(schedules={"terms.kl.weight": (0.0, 10)}, sampler=None)
    with pytest.raises(RecipeError, match="cannot be compiled"):
        fit(moving, digits, steps=5, compile="on", progress=False)
    with pytest.raises(RecipeError, match="cannot be compiled"):
        fit(SMALL, digits, steps=5, compile="on", clip=1.0, progress=False)


@pytest.mark.long
def test_where_the_compiler_fails_the_training_goes_on(digits, monkeypatch):
    def fails(step):
        raise RuntimeError("no compiler\nmore of it")

    monkeypatch.setattr(CompiledStep, "compile", fails)
    monkeypatch.setattr(trainer_module, "MIN_STEPS_TO_COMPILE", 1)
    monkeypatch.setattr(CompiledStep, "seconds_to_compile", lambda step: 0.0)
    settings = {"steps": 5, "batch_size": 32, "progress": False}
    plain = fit(SMALL, digits, compile="off", **settings)
    found = fit(SMALL, digits, **settings)
    assert found.summary["compiling_seconds"] == 0
    torch.testing.assert_close(found.model.state_dict(), plain.model.state_dict(), rtol=0, atol=0)
    with pytest.raises(RecipeError, match="RuntimeError: no compiler"):
        fit(SMALL, digits, compile="on", **settings)


@pytest.mark.long
def test_long_trainings_of_small_models_are_worth_compiling(digits):
    trainer = trainer_of(SMALL, digits)
    advance(trainer, 1)
    step = traced(trainer).compiled_step
    assert step.seconds_saved() * 1_000 < step.seconds_to_compile() < step.seconds_saved() * 15_000


@pytest.mark.long
def test_so_are_convolutions_of_few_channels_and_not_those_of_many(digits):
    saved = []
    for width in (4, 64):
        recipe = RECIPES["conv-ae"].set("network.width", width).set("network.stages", 2)
        trainer = trainer_of(recipe, digits)
        advance(trainer, 1)
        saved.append(traced(trainer).compiled_step.seconds_saved())
    assert saved[0] > 0 == saved[1]


@pytest.mark.long
def test_attention_is_left_to_the_libraries(digits):
    small = {"width": 8, "blocks": 1, "heads": 1, "ratio": 1}
    trainer = trainer_of(RECIPES["ae"].but(network=Spec("transformer", small)), digits)
    advance(trainer, 1)
    assert traced(trainer).compiled_step.seconds_saved() == 0


@pytest.mark.slow
def test_compiled_trainings_resume_bit_for_bit(digits, tmp_path, monkeypatch):
    recipe = RECIPES["vae"].set("network.hidden", (16,)).but(sampler=None)
    settings = {"steps": 40, "batch_size": 32, "checkpoint_every": 10, "progress": False}
    plain = fit(recipe, digits, compile="off", out=tmp_path / "plain", **settings)
    whole = fit(recipe, digits, compile="on", out=tmp_path / "whole", **settings)
    assert whole.summary["compiling_seconds"] > 0
    # Another generator draws the noise of a compiled step.
    errors = [fitted.run.folder / "log.jsonl" for fitted in (plain, whole)]
    lines = [[json.loads(line) for line in path.read_text().splitlines()] for path in errors]
    last = [[e["squared_error"] for e in each if "squared_error" in e][-1] for each in lines]
    assert last[0] == pytest.approx(last[1], rel=0.1)

    class Stop(Exception):
        pass

    done = Trainer.update

    def stopping(self):
        if self.step == 25:
            raise Stop
        return done(self)

    monkeypatch.setattr(Trainer, "update", stopping)
    with pytest.raises(Stop):
        fit(recipe, digits, compile="on", out=tmp_path / "cut", **settings)
    monkeypatch.undo()
    again = resume(tmp_path / "cut", data=digits, progress=False)
    torch.testing.assert_close(again.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)

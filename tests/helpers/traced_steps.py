"""Trainers whose step is traced, for tests that compare it with the one that is not."""

import torch

from autoencode.models.build import build, sizes_for
from autoencode.models.conditions import context_width
from autoencode.models.recipes.table import RECIPES
from autoencode.train.compile.step import CompiledStep
from autoencode.train.settings import Settings
from autoencode.train.trainer import Trainer

SMALL = RECIPES["ae"].set("network.hidden", (16,))


def trainer_of(recipe, digits, **settings):
    sizes = sizes_for(
        recipe, digits.shape, n=len(digits.train), context=context_width(recipe, digits)
    )
    model = build(recipe, sizes, seed=0)
    given = {"batch_size": 32, "compile": "off", "labelled": None, "precision": "float32"}
    chosen = Settings.of(recipe, {**given, **settings})
    trainer = Trainer(model, recipe, digits, chosen, None, False)
    trainer.state.objective.train()
    return trainer


def advance(trainer, steps):
    found = []
    for _ in range(steps):
        torch.manual_seed(trainer.step)
        output = trainer.update()
        found.append((output.loss, output.terms, output.squared_error()))
        trainer.state.step += 1
    return found


def advanced(trainer, steps=1):
    advance(trainer, steps)
    return trainer


def traced(trainer):
    """As the trainer goes on once a step is compiled, but for the compiler."""
    trainer.compiled_step = CompiledStep(trainer.state, trainer.batches)
    return trainer


def compare_steps(recipe, digits, **settings):
    recipe = recipe.but(sampler=None, schedules={})
    if recipe.network.kind == "resnet":
        recipe = recipe.set("network.width", 4)
    plain, other = (trainer_of(recipe, digits, **settings) for _ in range(2))
    advance(plain, 1), advance(other, 1)
    expected, found = advance(plain, 3), advance(traced(other), 3)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=2e-4, atol=1e-5)
    weights = plain.state.objective.state_dict(), other.state.objective.state_dict()
    torch.testing.assert_close(*weights, rtol=2e-3, atol=2e-4)
    for a, b in zip(
        plain.state.optimizer.state.values(), other.state.optimizer.state.values(), strict=True
    ):
        torch.testing.assert_close(a["step"], b["step"])
        torch.testing.assert_close(a["exp_avg"], b["exp_avg"], rtol=2e-3, atol=1e-4)

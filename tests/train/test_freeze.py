"""Half of a model that stays as it is."""

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.models.objective import Objective
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit

SHORT = {"steps": 3, "batch_size": 50, "precision": "float32", "progress": False}


@pytest.mark.long
@pytest.mark.parametrize("half", ["encoder", "decoder"])
@pytest.mark.parametrize(
    "name", ["ae", "vae", "ae-deep", "vq-vae", "sparse-batch-top-k", "aae", "m2"]
)
def test_the_frozen_half_stays_bit_for_bit(digits, tmp_path, half, name):
    data = load_data("digits", labelled=100) if name == "m2" else digits
    recipe = RECIPES[name].but(sampler=None)  # fitting one takes longer than the training
    if "sparse" in name:
        recipe = recipe.but(latent=40)
    if recipe.network.kind == "mlp":
        recipe = recipe.set("network.hidden", (16,))
    first = fit(recipe, data, out=tmp_path / "first", **SHORT)
    settings = {**SHORT, "seed": 1, "weight_decay": 0.1, "init": str(tmp_path / "first")}
    second = fit(recipe, data, freeze=half, **settings)
    before, after = first.model.state_dict(), second.model.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    other = {"encoder": "decoder", "decoder": "encoder"}[half]
    assert not [key for key in changed if half in key.split(".")]
    assert [key for key in changed if other in key.split(".")]
    assert all(p.requires_grad for p in second.model.parameters())


@pytest.mark.slow  # the compiler takes most of it
def test_a_compiled_step_freezes_too(digits, tmp_path):
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    first = fit(recipe, digits, out=tmp_path / "first", **SHORT)
    settings = {**SHORT, "freeze": "encoder", "init": str(tmp_path / "first")}
    plain = fit(recipe, digits, **settings, compile="off").model.state_dict()
    compiled = fit(recipe, digits, **settings, compile="on").model.state_dict()
    for name, tensor in first.model.state_dict().items():
        torch.testing.assert_close(compiled[name], plain[name], rtol=1e-4, atol=1e-5)
        assert name.startswith("decoder") or torch.equal(compiled[name], tensor)


def test_random_weights_are_not_frozen(digits):
    with pytest.raises(RecipeError, match="--init RUN"):
        fit("ae", digits, freeze="encoder", **SHORT)
    with pytest.raises(RecipeError, match="freeze must be one of"):
        fit("ae", digits, freeze="encodr", **SHORT)


def made(name="ae"):
    recipe = RECIPES[name].set("network.hidden", (16,))
    model = build(recipe, sizes_for(recipe, (8, 8), context=0, n=100), seed=0)
    return model, Objective(model, recipe, model.sizes)


def test_shared_weights_and_models_without_another_half_are_refused():
    model, objective = made()
    model.decoder.tied = model.encoder.network
    with pytest.raises(RecipeError, match="share weights"):
        objective.freeze("encoder")
    model, objective = made()
    for p in model.decoder.parameters():
        p.requires_grad_(False)
    with pytest.raises(RecipeError, match="left to train"):
        objective.freeze("encoder")


def test_the_frozen_half_stays_in_evaluation_mode():
    model, objective = made()
    objective.freeze("decoder")
    objective.train()
    assert model.encoder.training
    assert not model.decoder.training
    names = set(objective.state_dict())
    assert len(names) == len({t.data_ptr() for t in objective.state_dict().values()})

"""Slots are slots: parts of several families in one model, schedules, and what is refused."""

import math

import numpy as np
import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import load_data
from autoencode.errors import DataError, RecipeError
from autoencode.models.build import build
from autoencode.models.describe import slots
from autoencode.models.objective import Objective
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load
from autoencode.train import fit

pytestmark = pytest.mark.long

QUICK = {"steps": 30, "batch_size": 50}


def test_denoising_conditional_conv_vae_with_a_vamp_prior(digits, tmp_path):
    recipe = RECIPES["conv-vae"].but(latent=4, context=Spec("labels"), prior=Spec("vamp"))
    recipe = recipe.set("corruption", "masking").set("corruption.share", 0.3)
    fitted = fit(recipe, digits, out=tmp_path / "run", **QUICK)
    model, again = fitted.model, load(tmp_path / "run")
    x, labels = digits.test.x[:5], digits.test.y[:5]
    torch.testing.assert_close(again(x, labels).images, model(x, labels).images)
    with torch.no_grad():
        drawn = model.decoder(model.prior().sample((10,)), torch.arange(10))
    assert drawn.shape == (10, 8, 8)


def test_a_model_is_conditioned_on_any_vector(tmp_path):
    """The vectors say how bright the images are; the decoder learns to obey."""
    torch.manual_seed(0)
    context = np.random.default_rng(0).uniform(size=(400, 1)).astype(np.float32)
    x = np.broadcast_to(context[:, :, None], (400, 4, 4)).copy()
    data = load_data(x, vectors=context)
    recipe = RECIPES["ae"].but(context=Spec("vectors"), latent=1)
    # At PCA, the code alone would say how bright an image is.
    recipe = recipe.set("network.hidden", (32,)).set("network.linear", "none")
    model = fit(recipe, data, steps=300, batch_size=50, lr=1e-2).model
    z = model.encoder(data.test.x, data.test.context)
    with torch.no_grad():
        dark, bright = (model.decoder(z, torch.full((len(z), 1), v)) for v in (0.1, 0.9))
    assert (bright.mean() - dark.mean()).item() > 0.2
    with pytest.raises(DataError, match="--vectors"):
        fit(recipe, load_data(x), steps=1)


def test_schedules_move_weights_and_arguments():
    recipe = RECIPES["vae"].but(latent=2, schedules={"terms.kl.weight": (0.0, 10)})
    recipe = recipe.set("terms.kl.weight", 4.0)
    model = build(recipe, Sizes((8, 8), (2,)), seed=0)
    objective = Objective(model, recipe, model.sizes)
    seen = []
    for step in (0, 5, 10, 1000, math.inf):
        objective.apply_schedules(step)
        seen.append(objective.weights["kl"])
    assert seen == [0.0, 2.0, 4.0, 4.0, 4.0]

    noisy = RECIPES["ae"].set("corruption", "gaussian-noise").set("corruption.scale", 0.5)
    noisy = noisy.set("schedules.corruption.scale", (0.0, 10))
    objective = Objective(build(noisy, model.sizes, seed=0), noisy, model.sizes)
    objective.apply_schedules(5)
    assert objective.model.corruption.scale == pytest.approx(0.25)


def test_a_schedule_may_wait_first():
    recipe = RECIPES["vae"].set("schedules.terms.kl.weight", (0.5, 10, 20))
    objective = Objective(build(recipe, Sizes((8, 8), (2,)), seed=0), recipe, Sizes((8, 8), (2,)))
    found = []
    for step in (0, 20, 25, 30, math.inf):
        objective.apply_schedules(step)
        found.append(objective.weights["kl"])
    assert found == pytest.approx([0.5, 0.5, 0.75, 1.0, 1.0])


@pytest.mark.parametrize(
    ("given", "at", "found"),
    [
        ("linear:0,10", (0, 5, 10, 50), (0, 2, 4, 4)),
        ("linear:8,10,10", (0, 10, 15, 20), (8, 8, 6, 4)),
        ("cyclical:0,20", (0, 5, 10, 19, 20, 25, 30, 1000), (0, 2, 4, 4, 0, 2, 4, 0)),
        ("cyclical:0,20,1", (0, 5, 10, 15, 20), (0, 1, 2, 3, 0)),
        ("cyclical:0,20,0.0", (0, 5, 20), (4, 4, 4)),
        ("cyclical:2,4,0.25", (0, 1, 3, 4), (2, 4, 4, 2)),
        ("stepwise:0,10,4", (0, 9, 10, 20, 39, 40, 99), (0, 0, 1, 2, 3, 4, 4)),
        ("stepwise:8,5,1", (0, 4, 5), (8, 8, 4)),
    ],
)
def test_courses_of_a_weight(given, at, found):
    recipe = RECIPES["vae"].set("terms.kl.weight", 4.0).set("schedules.terms.kl.weight", given)
    assert type(recipe).from_dict(recipe.to_dict()) == recipe
    objective = Objective(build(recipe, Sizes((8, 8), (2,)), seed=0), recipe, Sizes((8, 8), (2,)))
    for step, value in zip(at, found, strict=True):
        objective.apply_schedules(step)
        assert objective.weights["kl"] == pytest.approx(value), step
    objective.apply_schedules(math.inf)
    assert objective.weights["kl"] == 4
    assert slots(recipe)["schedule of terms.kl.weight"].startswith("from ")


@pytest.mark.parametrize(
    ("address", "plan", "says"),
    [
        ("terms.kll.weight", (0, 10), "terms.kl.weight"),
        ("terms.kl.weight", (0,), r"linear:start,steps\[,wait\]"),
        ("terms.kl.weight", (0, 10, 3, 4), "linear:start"),
        ("terms.kl.weight", "linear:x,10", "linear:start"),
        ("terms.kl.weight", "cyclical", "cyclical"),
        ("terms.kl.weight", ("cyclic", 0, 10), 'Did you mean "cyclical"'),
        ("terms.kl.weight", "cyclical:0,10,1.5", "rising, must be"),
        ("terms.kl.weight", "stepwise:0,10", "stepwise:start,steps,jumps"),
        ("terms.kl.weight", "stepwise:0,10,0", "jumps, must be"),
        ("terms.kl.weight", (True, 10), "finite number"),
        ("terms.kl.weight", (0, 0), "from 1"),
        ("network.dropout", (0, 10), "cannot be scheduled"),
    ],
)
def test_schedules_without_meaning_are_refused(address, plan, says):
    def objective():
        recipe = RECIPES["vae"].set(f"schedules.{address}", plan)
        return Objective(build(recipe, sizes, seed=0), recipe, sizes)

    sizes = Sizes((8, 8), (2,))
    with pytest.raises(RecipeError, match=says):
        objective()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r["vae"].set("prior", "uniform"), "bounded"),
        (lambda r: r["vae"].set("bottleneck", "point"), "posterior"),
        (lambda r: r["iwae"].set("samples", 1), "several samples"),
        (lambda r: r["ae"].set("terms.mmd", "mmd"), "needs a prior"),
        (lambda r: r["ae"].set("sampler", "autoregressive"), "discrete codes"),
        (lambda r: r["vq-vae"].set("sampler", "mixture"), "continuous codes"),
        (lambda r: r["beta-tcvae"].set("bottleneck", "planar"), "normal posterior"),
    ],
)
def test_combinations_without_meaning_are_refused_when_built(change, says):
    with pytest.raises(RecipeError, match=says):
        build(change(RECIPES), Sizes((8, 8), (4,), n=100), seed=0)


def test_few_labels_are_kept_in_the_proportions_of_the_classes():
    data = load_data("digits", labelled=50)
    assert (data.train.y >= 0).sum() == 50
    assert all(3 <= (data.train.y == k).sum() <= 7 for k in range(10))
    assert (data.test.y >= 0).all()
    with pytest.raises(DataError, match="Label fewer"):
        load_data("digits", labelled=10_000)

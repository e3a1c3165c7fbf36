"""Trainings that fail say so with exit code 3, and models that learned nothing say so."""

import warnings
from dataclasses import replace

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import Diverged
from autoencode.evaluation import thresholds
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import final_checks, fit, resume

FAST = {"batch_size": 50, "precision": "float32", "progress": False, "compile": "off"}


def small(name):
    return RECIPES[name].set("network.hidden", (16,))


@pytest.mark.parametrize(
    "name",
    [
        "vae",
        *(
            pytest.param(n, marks=pytest.mark.long)
            for n in ("beta-vae", "info-vae", "free-bits-vae")
        ),
    ],
)
def test_an_exploded_training_is_an_error_however_short(digits, tmp_path, name):
    settings = {"lr": 30.0, "schedule": "constant", "steps": 60, **FAST}
    recipe = small(name).but(latent=4, likelihood=Spec("bernoulli"))
    with pytest.raises(Diverged, match=r"diverged.*before the first step.*--lr 0\.0") as caught:
        fit(recipe, digits, out=tmp_path / "run", **settings)
    assert caught.value.exit_code == 3
    run = open_run(tmp_path / "run")
    assert run.status == "diverged"
    assert run.weights.exists()
    assert run.summary["steps"] == 60


@pytest.mark.parametrize("name", ["ae", "ae-deep"])
@pytest.mark.long
def test_a_model_worse_than_the_mean_example_is_an_error(digits, tmp_path, name, monkeypatch):
    monkeypatch.setattr(final_checks, "MIN_STEPS_TO_WARN", 200)
    monkeypatch.setattr(final_checks, "MIN_STEPS_TO_FAIL", 200)
    with pytest.raises(Diverged, match=r"failed: after 200 steps.*their mean") as caught:
        fit(small(name), digits, out=tmp_path / "run", lr=30.0, steps=200, **FAST)
    assert caught.value.exit_code == 3
    assert open_run(tmp_path / "run").weights.exists()


@pytest.mark.long
def test_a_failed_training_can_still_be_resumed(digits, tmp_path):
    settings = {"lr": 30.0, "schedule": "constant", "steps": 60, **FAST}
    with pytest.raises(Diverged) as first:
        fit(small("vae"), digits, out=tmp_path / "run", **settings)
    with pytest.raises(Diverged) as again:
        resume(tmp_path / "run", progress=False)
    assert str(again.value) == str(first.value)


@pytest.mark.parametrize("name", ["ae", "ae-deep", "conv-ae"])
def test_a_short_try_is_not_judged_by_its_error(digits, name):
    recipe = RECIPES[name] if "conv" in name else small(name)
    # A warning is an error in these tests.
    assert fit(recipe, digits, lr=1e-6, steps=5, **FAST).summary["steps"] == 5


@pytest.mark.long
def test_a_longer_try_is_warned_of(digits):
    with pytest.warns(UserWarning, match=r"no more than the mean example.*--lr 0\.001"):
        fit(small("ae"), digits, lr=1e-6, steps=500, **FAST)
    with pytest.warns(UserWarning, match=r"no more than the mean example.*--lr 0\.0001"):
        fit(small("ae"), digits, steps=500, lr=1e-3, weight_decay=100.0, **FAST)


@pytest.mark.long
@pytest.mark.parametrize("name", ["vae", "dip-vae-1", "vamp-vae", "wae-mmd", "ae"])
def test_models_that_learn_say_nothing(digits, name):
    recipe = small(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(recipe.but(latent=3), digits, steps=500, lr=3e-3, **FAST)


@pytest.mark.parametrize(("weight", "says"), [(400.0, True), (0.1, False)])
@pytest.mark.long
def test_a_collapsed_vae_is_a_warning_and_not_an_error(digits, weight, says, monkeypatch):
    monkeypatch.setattr(final_checks, "MIN_STEPS_TO_FAIL", 300)
    recipe = small("vae").set("terms.kl.weight", weight)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(recipe, digits, steps=500, lr=3e-3, **FAST)
    found = [str(each.message) for each in caught]
    q = fitted.model.encode(digits.validation.x).q.base_dist
    kl = 0.5 * (q.variance + q.mean**2 - 1 - q.variance.log()).mean(0)
    assert bool((kl < thresholds.MIN_ACTIVE_KL_NATS).all()) == says
    assert len(found) == says
    if says:
        assert "no active latent dimension" in found[0]
        assert "--set terms.kl.weight=100" in found[0]
        fix = found[0].split("--set schedules.")[1].rstrip(".")
        address, _, schedule = fix.partition("=")
        assert recipe.set(f"schedules.{address}", schedule).schedules[address][0] == "linear"


def test_the_threshold_is_that_of_evaluation():
    assert final_checks.MIN_ACTIVE_KL_NATS == thresholds.MIN_ACTIVE_KL_NATS


@pytest.mark.long
def test_an_absolute_error_may_end_at_the_median_example(monkeypatch):
    """The median of a sparse table is far from its mean: not a failure, but nothing learned."""
    monkeypatch.setattr(final_checks, "MIN_STEPS_TO_FAIL", 200)
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(600, 8, generator=generator) < 0.3).float()
    recipe = small("vae").set("likelihood", "laplace").set("terms.kl.weight", 50)
    with pytest.warns(UserWarning, match="active"):
        fit(recipe, load_data(x.numpy()), steps=500, lr=1e-2, **FAST)


@pytest.mark.long
def test_overfitting_is_a_warning():
    """Noise: training examples can be learned by heart, others cannot."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(60, 30, generator=generator)
    recipe = RECIPES["ae"].set("network.hidden", (256,)).but(latent=2)
    data = load_data(x.numpy())
    few = replace(data, train=replace(data.train, x=data.train.x[:20]))
    with pytest.warns(UserWarning, match=r"overfits.*--patience 5"):
        fit(recipe, few, steps=600, lr=3e-3, **FAST)


def test_the_checks_do_not_change_the_training(digits, monkeypatch):
    with_checks = fit(small("vae"), digits, steps=20, **FAST).model.state_dict()
    monkeypatch.setattr(final_checks.FinalChecks, "start", lambda self: None)
    monkeypatch.setattr(final_checks.FinalChecks, "end", lambda self: iter(()))
    without = fit(small("vae"), digits, steps=20, **FAST).model.state_dict()
    assert all(torch.equal(with_checks[name], without[name]) for name in without)


@pytest.mark.parametrize(("labelled", "missing"), [(3, 7), (10, 0)])
def test_classes_without_a_label_are_named_at_the_start(labelled, missing):
    data = load_data("digits", labelled=labelled)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit("m2", data, steps=1, **FAST)
        fit(small("ae"), data, steps=1, **FAST)  # it uses no labels
    found = [str(each.message) for each in caught if "labelled examples" in str(each.message)]
    assert len(found) == (missing > 0)
    if missing:
        assert found[0].startswith(f"{missing} of 10 classes")
        assert "--labelled 10" in found[0]

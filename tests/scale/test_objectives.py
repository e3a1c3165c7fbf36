"""What a sweep chooses by: metrics on the validation part alone."""

from dataclasses import replace

import pytest
import torch

from autoencode.data import Split
from autoencode.errors import DataError, Pruned, RecipeError
from autoencode.evaluation.metric_info import METRICS
from autoencode.models.recipes.table import RECIPES
from autoencode.scale.objectives import (
    MEASURES_OF_GROUP,
    SweepMetric,
    check_measured,
    sweep_metrics,
    validation_values,
)
from autoencode.scale.pruning import MIN_TRIALS, median_rule

VAE = RECIPES["vae"]


def test_every_group_has_measures():
    assert MEASURES_OF_GROUP.keys() == METRICS.keys()


@pytest.mark.parametrize(
    ("name", "found", "better"),
    [
        ("squared_error", "squared_error", "lower"),
        ("kl", "terms.kl", "lower"),
        ("terms.reconstruction", "terms.reconstruction", "lower"),
        ("psnr", "psnr", "higher"),
        ("knn_accuracy", "knn_accuracy", "higher"),
        ("loss", "loss", "lower"),
        ("nll", "nll", "lower"),
    ],
)
def test_names_and_directions(name, found, better):
    assert sweep_metrics(name, VAE, ["latent"]) == (SweepMetric(found, better),)


@pytest.mark.parametrize(
    ("names", "varied", "words"),
    [
        ("sqared_error", "latent", 'Did you mean "squared_error"?'),
        ("total-correlation", "latent", 'There is no metric "total-correlation"'),
        ("density", "latent", "Neither a lower nor a higher density is better"),
        (["kl", "terms.kl"], "latent", "A metric is given twice"),
        ([], "latent", "A sweep needs a metric"),
        ("loss", "terms.kl.weight", "does not compare the trials"),
        ("loss", "likelihood", "does not compare the trials"),
        ("nll", "likelihood", "compares models of one likelihood"),
        ("terms.reconstruction", "likelihood", "compares models of one likelihood"),
    ],
)
def test_refusals(names, varied, words):
    with pytest.raises(RecipeError) as caught:
        sweep_metrics(names, VAE, [varied])
    assert words in str(caught.value)


def test_values_are_of_the_validation_part(digits, make):
    """By hand; and nothing changes when the test part does."""
    model = make("ae", x=(8, 8), **{"network.hidden": (16,)}).eval()
    metrics = sweep_metrics(["squared_error", "psnr"], RECIPES["ae"], ["lr"])
    values = validation_values(metrics, model, digits)
    x = digits.validation.x.float() / (255 if digits.validation.x.dtype == torch.uint8 else 1)
    with torch.no_grad():
        by_hand = (model(x)[1].reshape(x.shape) - x).double().square().flatten(1).sum(1).mean()
    assert values[0] == pytest.approx(by_hand.item(), rel=1e-5)
    other = replace(digits, test=Split(digits.test.x.flip(1), digits.test.y), fingerprint="other")
    assert validation_values(metrics, model, other) == values


def test_what_cannot_be_measured_is_refused_before_training(digits, make_table):
    table = make_table({"a": None, "b": None, "c": ("x", "y")})
    psnr = sweep_metrics("psnr", RECIPES["ae"], ["lr"])
    with pytest.raises(RecipeError, match=r"psnr has no meaning for ae on table. Measured are: sq"):
        check_measured(psnr, RECIPES["ae"], table, {})
    empty = replace(digits, validation=Split(digits.validation.x[:0], None))
    with pytest.raises(DataError, match="no validation examples"):
        check_measured(psnr, RECIPES["ae"], empty, {})


def test_median_rule():
    metric = SweepMetric("terms.kl", "lower")
    histories = [{5: v, 10: v, 15: v, 20: v} for v in (1.0, 2.0, 3.0, 4.0, 9.0)]
    assert median_rule(metric, histories[: MIN_TRIALS - 1]) is None
    rule = median_rule(metric, histories)
    assert rule is not None
    assert rule.medians == {10: 3.0, 15: 3.0}  # neither in the first quarter nor at the end
    rule(10, {"terms": {"kl": 3.0}})
    rule(5, {"terms": {"kl": 99.0}})
    rule(20, {"terms": {"kl": 99.0}})
    with pytest.raises(Pruned, match=r"Pruned at step 15: terms.kl 3.1 on validation, above"):
        rule(15, {"terms": {"kl": 3.1}})


@pytest.mark.parametrize("found", [{}, {"terms": {}}, {"squared_error": 99.0}])
def test_a_validation_without_the_metric_prunes_nothing(found):
    rule = median_rule(SweepMetric("terms.kl", "lower"), [{1: 1.0, 2: 1.0, 3: 1.0}] * MIN_TRIALS)
    assert rule is not None
    rule(2, found)

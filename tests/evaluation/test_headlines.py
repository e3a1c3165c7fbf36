"""What is shown first of a model, by what the model is for."""

import math

import pytest

from autoencode.evaluation import evaluate
from autoencode.evaluation.headlines import headlines, number
from autoencode.models.inference import embed
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit

ERROR = {
    "squared_error": 32.931,
    "squared_error_per_pixel": 32.931 / 784,
    "units": {"squared_error": "squared error summed over pixels in [0, 1]"},
}


def texts(recipe, **metrics):
    found = headlines(RECIPES[recipe], {**ERROR, **metrics})
    return [f"{each.title} {each.value}, {each.note}".removesuffix(", ") for each in found]


def test_the_squared_error_is_named_with_its_reduction():
    assert texts("ae") == ["MSE 32.93, summed over 784 pixels; 0.0420 per pixel"]
    found = headlines(RECIPES["ae"], {"squared_error": 0.0, "squared_error_per_pixel": 0.0})
    assert found[0].note == "summed over values; 0 per value"
    assert headlines(RECIPES["ae"], {"terms": {}}) == []


def test_kl_and_likelihood_follow_it_and_do_not_hide_it():
    terms = {"reconstruction": 481.71, "kl": 5.771}
    assert texts("vae", terms=terms)[1:] == [
        "KL 5.77 nats",
        "−log p(x|z) 481.7 nats, bernoulli likelihood",
    ]
    # Where the objective has no KL term, the KL of the dimensions is summed.
    assert "KL 1.75 nats" in texts("iwae", terms={"iwae": 100.0}, kl_per_dimension=[0.5, 1.25])
    # A reconstruction without nats is not called a likelihood.
    units = {**ERROR["units"], "terms.reconstruction": ""}
    assert "Reconstruction loss 3.00, gaussian likelihood" in texts(
        "ae", terms={"reconstruction": 3.0}, units=units
    )


@pytest.mark.parametrize(
    ("recipe", "metrics", "first"),
    [
        (
            "denoising-ae",
            {"restored_squared_error": 40.0, "corrupted_squared_error": 176.3},
            "Denoising MSE 40.00, of corrupted inputs, whose own MSE is 176.3; summed over 784 "
            "pixels",
        ),
        (
            "sparse-top-k",
            {"active_per_example": 24.96, "active_share": 0.02496},
            "Active units 25.0 of 1,000, 2.5%, mean per example",
        ),
        (
            "m2",
            {"classification_error": 0.1996},
            "Classification error 19.96%, of the test examples, by the model's own classifier",
        ),
    ],
)
def test_what_the_model_is_for_comes_first(recipe, metrics, first):
    found = texts(recipe, **metrics)
    assert found[0] == first
    assert found[1].startswith("MSE 32.93, ")


def test_numbers_have_significant_digits():
    given = (0.0, 32.9312, 5.7712, 481.66, 12_345.6, 0.00412, -7.0, math.inf)
    said = ["0", "32.93", "5.77", "481.7", "12,346", "0.004120", "−7.00", "inf"]
    assert [number(value) for value in given] == said


@pytest.mark.parametrize("recipe", ["sparse-top-k", "sparse-batch-top-k", "sparse-l1", "sparse-kl"])
def test_active_units_of_sparse_models_are_counted(recipe, make_model, make_data):
    model, data = make_model(recipe, (6, 5), latent=40), make_data((6, 5))
    found = evaluate(model, data).to_dict()
    codes = embed(model, data.test.x)
    active = codes > 0 if recipe == "sparse-kl" else codes != 0
    assert found["active_per_example"] == pytest.approx(active.double().sum(1).mean().item())
    assert found["active_share"] == pytest.approx(active.double().mean().item())
    if recipe == "sparse-top-k":
        assert found["active_per_example"] <= 1


def test_a_model_that_is_not_sparse_has_no_active_units_per_example(make_model, make_data):
    assert (
        "active_per_example" not in evaluate(make_model("ae", (6, 5)), make_data((6, 5))).to_dict()
    )


def test_a_classification_loss_without_labels_is_left_out(make_data):
    data = make_data((6, 5), test=30)
    row = RECIPES["m2"].but(training={})
    found = evaluate(fit(row, data, steps=2, batch_size=20, progress=False).model, data).to_dict()
    assert set(found["terms"]) == {"reconstruction", "kl", "label-kl"}
    assert 0 <= found["classification_error"] <= 1

"""What is shown first of a model, by what the model is for."""

import math

import pytest

from autoencode.evaluation import evaluate
from autoencode.evaluation.headlines import headlines, number, pca_advice, pca_words
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
        "−log p(x|z) 481.7 nats, auto likelihood",
    ]
    found = texts("ae", bits_per_dimension=4.1234)
    assert found[-1] == "Bits per dimension 4.12, an upper bound by importance sampling"
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


def beside_pca(low, high, error=14.5, dimensions=128):
    return {
        "squared_error_of_pca": error,
        "pca_dimensions": dimensions,
        "squared_error_above_pca": (low + high) / 2,
        "intervals": {"squared_error_above_pca": (low, high)},
    }


@pytest.mark.parametrize(
    ("metrics", "said", "advised"),
    [
        (
            beside_pca(3.98, 4.22),
            "PCA with 128 dimensions 14.50: this model is worse than PCA, by 4.10 (95 % interval "
            "3.98 to 4.22)",
            True,
        ),
        (
            beside_pca(-4.22, -3.98, dimensions=1),
            "PCA with 1 dimension 14.50: this model is better than PCA, by 4.10 (95 % interval "
            "3.98 to 4.22)",
            False,
        ),
        (
            beside_pca(-0.5, 0.1),
            "PCA with 128 dimensions 14.50: this model is not significantly different from PCA "
            "(difference −0.200, 95 % interval −0.500 to 0.100)",
            False,
        ),
        (
            beside_pca(30.0, 33.0, error=0.0, dimensions=784),
            "PCA with 784 dimensions 0, as it has as many as an example has values",
            False,
        ),
        ({"squared_error_of_pca": 2.0, "pca_dimensions": 3}, "PCA with 3 dimensions 2.00", False),
        ({}, "", False),
    ],
)
def test_the_error_of_pca_stands_beside_it(metrics, said, advised):
    assert pca_words(metrics) == said
    found = texts("ae", **metrics)
    assert found == [
        f"MSE 32.93, summed over 784 pixels; 0.0420 per pixel{'; ' * bool(said)}{said}"
    ]
    assert bool(pca_advice(RECIPES["ae"], metrics)) == advised


def test_vectors_have_r2_beside_that_of_pca():
    assert texts("ae", r2=0.8612)[1:] == ["R² 0.861"]
    assert texts("ae", r2=0.8612, r2_of_pca=-0.5, numeric_columns=["a"])[1:] == [
        "R² 0.861, mean over the numeric columns; PCA −0.500"
    ]
    columns = {"column_accuracy": 0.5, "categorical_columns": ["a", "b"]}
    assert texts("ae", **columns, majority_share_per_column=[0.5, 0.75])[1:] == [
        "Category accuracy 50.00%, mean over 2 categorical columns; 62.50% for the most frequent "
        "category of each"
    ]


def test_missing_values_do_not_change_the_number_of_values():
    metrics = {"squared_error": 2.0, "squared_error_per_pixel": 0.25, "missing_share": 0.2}
    assert headlines(RECIPES["ae"], metrics)[0].note == "summed over 10 values; 0.250 per value"


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

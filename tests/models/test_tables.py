"""Models of tables: what recipes change for them, their likelihood, and imputation."""

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from autoencode import RECIPES, build, load_data
from autoencode.contract import Sizes
from autoencode.data import Column, Preprocessing
from autoencode.errors import RecipeError
from autoencode.models.adaptation import for_data
from autoencode.models.imputation import impute
from autoencode.parts import SLOTS
from autoencode.train import fit


def table(n=60, d=5, gaps=0.0, seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 2)) @ draw.normal(size=(2, d)) * [1, 10, 100, 0.1, 5][:d] + 3
    x[draw.random(x.shape) < gaps] = np.nan
    return x


@pytest.mark.parametrize(
    ("name", "scale"), [("ae", "fixed"), ("vae", "shared"), ("missing-iwae", "shared")]
)
def test_a_table_gets_the_likelihood_of_rows(name, scale):
    recipe, (notice,) = for_data(RECIPES[name], load_data(table(), scale="standard"))
    assert recipe.likelihood.kind == "table"
    assert recipe.likelihood.args["scale"] == scale
    assert recipe.network.args["linear"] == "pca"
    assert "likelihood table" in notice
    assert "steps" in notice


def test_what_a_recipe_sets_itself_is_kept():
    recipe = RECIPES["ae"].set("likelihood", "laplace").set("network.linear", "none")
    recipe = recipe.but(training={"steps": 7})
    adapted, _ = for_data(recipe, load_data(table(), scale="standard"))
    assert adapted.likelihood.kind == "laplace"
    assert adapted.network.args["linear"] == "none"
    assert adapted.training["steps"] == 7


def test_images_and_vectors_in_the_unit_range_are_left_alone():
    for source in ("digits", np.random.default_rng(0).random((30, 4))):
        recipe, notices = for_data(RECIPES["ae"], load_data(source))
        assert recipe is RECIPES["ae"]
        assert not notices


@pytest.mark.parametrize("name", ["ladder-vae", "m1-m2"])
def test_models_that_cannot_do_without_a_value_say_so(name):
    data = load_data(table(gaps=0.2), scale="standard")
    with pytest.raises(RecipeError, match="missing values") as caught:
        for_data(RECIPES[name], data)
    assert "missing-iwae" in str(caught.value)
    for_data(RECIPES["missing-iwae"], data)


@pytest.mark.parametrize("columns", [(0, 0), (3, 0), (0, 0, 0, 0)])
def test_columns_must_have_the_width_of_an_example(columns):
    with pytest.raises(RecipeError, match="table likelihood"):
        SLOTS["likelihood"]["table"](Sizes((3,), (2,)), columns)


@pytest.mark.parametrize("factor", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["gaussian-learned", "table"])
def test_a_learned_scale_starts_at_a_quarter_of_the_deviation(factor, kind):
    x = torch.from_numpy(np.random.default_rng(0).normal(0, factor, (500, 6))).float() + 0.5
    likelihood = SLOTS["likelihood"][kind](Sizes((6,), (2,)))
    likelihood.initialise(x)
    expected = x.std(0, correction=0).square().mean().sqrt() / 4
    assert likelihood.log_scale.exp().item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_scale_for_each_column_starts_at_that_column():
    x = torch.from_numpy(table()).float()
    likelihood = SLOTS["likelihood"]["table"](Sizes((5,), (2,)), scale="column")
    likelihood.initialise(x)
    expected = x.std(0, correction=0) / 4
    torch.testing.assert_close(likelihood.log_scale.exp(), expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    "name", ["ae", "vae", "missing-iwae", "denoising-ae", "sparse-l1", "wae-mmd", "aae", "fsq"]
)
def test_rows_with_gaps_train_and_are_filled_in(name):
    data = load_data(table(gaps=0.15), scale="standard")
    fitted = fit(name, data, latent=2, steps=5, progress=False)
    filled = impute(fitted.model, data.test.x)
    assert filled.shape == data.test.x.shape
    assert torch.isfinite(filled).all()
    known = ~torch.isnan(data.test.x)
    assert torch.equal(filled[known], data.test.x[known])
    assert torch.equal(filled, impute(fitted.model, data.test.x))
    assert np.isfinite([fitted.summary["seconds"]]).all()


def test_imputation_is_the_conditional_mean_of_a_linear_model():
    """A linear VAE with its exact posterior is a normal distribution of x."""
    recipe = RECIPES["vae"].set("network.hidden", ()).set("likelihood", "table")
    recipe = recipe.set("likelihood.missing", True)
    model = build(recipe, Sizes((3,), (1,), bounded=False), seed=0).eval()
    weights, sigma = torch.tensor([[1.0], [2.0], [-1.0]]), 0.5
    with torch.no_grad():
        decoder = model.decoder.network
        decoder.out.weight.copy_(weights)
        decoder.out.bias.zero_()
        model.decoder.likelihood.log_scale.fill_(np.log(sigma))
    joint = MultivariateNormal(torch.zeros(3), weights @ weights.T + sigma**2 * torch.eye(3))
    x = torch.tensor([[0.7, 1.1, torch.nan], [torch.nan, -0.4, 0.9]])
    filled = impute(model, x, samples=200_000)
    for row, gap in ((0, 2), (1, 0)):
        rest = [i for i in range(3) if i != gap]
        covariance = joint.covariance_matrix
        expected = covariance[gap, rest] @ torch.linalg.solve(
            covariance[rest][:, rest], x[row, rest]
        )
        assert filled[row, gap].item() == pytest.approx(expected.item(), abs=0.03)


def test_preprocessing_of_a_table_goes_there_and_back():
    columns = (
        Column("a", centre=3.0, scale=2.0),
        Column("b", "categorical", categories=("x", "y", "z")),
        Column("c", scale=0.5),
    )
    preprocessing = Preprocessing((5,), columns=columns, missing=True)
    raw = np.array([[1.0, 2, 4.0], [np.nan, 0, 1.0], [3.0, np.nan, np.nan]])
    x = preprocessing(raw)
    expected = [[-1, 0, 0, 1, 8], [np.nan, 1, 0, 0, 2], [0, np.nan, np.nan, np.nan, np.nan]]
    np.testing.assert_allclose(x, expected)
    back = preprocessing.inverse(x)
    assert back[0].tolist() == [1.0, "z", 4.0]
    assert np.isnan(back[1, 0])
    assert back[1, 1] == "x"
    assert back[2, 1] is None
    again = Preprocessing.from_dict(preprocessing.to_dict())
    assert again == preprocessing
    assert "3 columns" in str(preprocessing)

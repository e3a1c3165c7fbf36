"""Which likelihood a recipe gets by its data, what is stated, and what is saved."""

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.data import load_data
from autoencode.models.adaptation import for_data
from autoencode.models.default_likelihood import AUTO, default_likelihood
from autoencode.models.recipes.table import RECIPES
from autoencode.report.pages.details import data_details

RNG = np.random.default_rng(0)


def binary(*shape):
    return (RNG.random(shape) < 0.3) * 255


def blurred(*shape):
    """Nearly binary: a tenth of the values are grey."""
    x = binary(*shape)
    grey = RNG.random(shape) < 0.1
    return np.where(grey, RNG.integers(30, 220, shape), x)


def grey(*shape):
    return RNG.integers(0, 256, shape)


CASES = [
    (binary(60, 8, 8).astype(np.uint8), "bernoulli"),
    (blurred(60, 8, 8).astype(np.uint8), "bernoulli"),
    (binary(60, 3, 8, 8).astype(np.uint8), "bernoulli"),
    (binary(60, 8, 8).astype(bool), "bernoulli"),
    ((binary(60, 12) / 255.0).astype(np.float32), "bernoulli"),
    (grey(60, 8, 8).astype(np.uint8), "discretised-logistic"),
    (grey(60, 3, 8, 8).astype(np.uint8), "discretised-logistic"),
    (grey(60, 8, 8, 4).astype(np.uint8), "discretised-logistic"),
    (RNG.random((60, 3, 8, 8), np.float32), "gaussian-learned"),
    (RNG.random((60, 12)), "gaussian-learned"),
    ("digits", "gaussian-learned"),
]


@pytest.mark.parametrize(("source", "kind"), CASES)
def test_the_likelihood_follows_the_values(source, kind):
    data = load_data(source)
    spec, sentence = default_likelihood(data)
    assert spec.kind == kind
    assert sentence.startswith(f"The likelihood is {kind}, because ")
    assert "--set likelihood=NAME" in sentence
    recipe, notices = for_data(RECIPES["vae"], data)
    assert recipe.likelihood.kind == kind
    assert notices[0] == sentence


@pytest.mark.parametrize("method", ["static", "dynamic"])
def test_values_that_are_drawn_as_bits_are_binary(method):
    data = load_data(grey(60, 8, 8).astype(np.uint8), binarise=method)
    assert default_likelihood(data)[0].kind == "bernoulli"


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "laplace", "discretised-logistic"])
@pytest.mark.parametrize("name", ["ae", "vae", "conv-vae"])
def test_a_likelihood_that_is_given_is_kept(name, kind):
    recipe = RECIPES[name].set("likelihood", kind)
    for source, _ in CASES[:9]:
        adapted, notices = for_data(recipe, load_data(source))
        assert adapted.likelihood.kind == kind
        assert not any(notice.startswith("The likelihood is") for notice in notices)


def test_recipes_whose_paper_fixes_the_likelihood_keep_it():
    fixed = {name: r.likelihood.kind for name, r in RECIPES.items() if r.likelihood.kind != AUTO}
    assert "bernoulli" not in fixed.values()
    assert fixed["two-stage-vae"] == fixed["missing-iwae"] == "gaussian-learned"
    assert fixed["ae"] == "gaussian"


def test_it_is_printed_once_and_saved(tmp_path, capsys):
    x = grey(60, 3, 8, 8).astype(np.uint8)
    fitted = ae.fit("vae", x, steps=2, out=tmp_path / "run", progress=False)
    lines = [line for line in capsys.readouterr().err.splitlines() if "likelihood" in line]
    assert len(lines) == 1
    run = ae.open_run(tmp_path / "run")
    assert run.recipe.likelihood.kind == "discretised-logistic"
    assert lines[0].endswith(run.notices[0])
    assert ae.load(tmp_path / "run").recipe == fitted.model.recipe
    # The same training again, in a list of jobs, is found done.
    job = ae.Job(RECIPES["vae"], fitted.data, tmp_path / "run", {"steps": 2})
    (outcome,) = ae.fit_many([job], workers=1, progress=False)
    assert outcome.error is None
    assert outcome.run.summary == run.summary
    shown = [each.value for each in data_details(run) if each.name == "adapted to the data"]
    assert shown == [*run.notices]


def test_a_model_without_data_has_the_bernoulli_likelihood():
    model = ae.build(RECIPES["vae"], ae.Sizes((4, 4), (2,)), seed=0)
    assert model.recipe.likelihood.kind == "bernoulli"
    same = ae.build(RECIPES["vae"].set("likelihood", "bernoulli"), ae.Sizes((4, 4), (2,)), seed=0)
    x, z = torch.rand(3, 4, 4), torch.randn(3, 2)
    torch.testing.assert_close(model.decode(z).log_prob(x), same.decode(z).log_prob(x))

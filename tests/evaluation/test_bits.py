"""Bits per dimension: for which data and likelihoods, and their values against SciPy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from autoencode.data import Data, Split
from autoencode.evaluation import evaluate
from autoencode.evaluation.likelihood import likelihood_bounds, rounding_error
from autoencode.evaluation.metric_info import metric_info
from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES

CONTINUOUS = ["gaussian", "gaussian-learned", "gaussian-heteroscedastic", "laplace"]
LEVELS = ["discretised-logistic", "discretised-logistic-mixture"]


def data_of(x, **options):
    """Data whose test part is x."""
    return Data("made", "", options, Split(x, None), Split(x[:1], None), Split(x, None), (), "made")


@pytest.fixture
def grey():
    """Grey images of bytes, with both ends of the range."""
    x = torch.randint(0, 256, (12, 3, 4, 5), generator=torch.Generator().manual_seed(0))
    x[0], x[1] = 0, 255
    return data_of(x.to(torch.uint8))


def model_of(kind, x=(3, 4, 5), name="vae", **args):
    recipe = RECIPES[name].set("likelihood", kind).set("network.hidden", (6,))
    for argument, value in args.items():
        recipe = recipe.set(f"likelihood.{argument}", value)
    return build(recipe, sizes_for(recipe, x), seed=0).eval()


def constant(model, outputs):
    """The model with p(x|z) the same for all z, and the posterior equal to the prior.

    outputs: of the decoder, for each of its channels.
    """
    layer, head = model.decoder.network.out, model.encoder.network.head
    with torch.no_grad():
        for each in (layer.weight, head.weight, head.bias):
            each.zero_()
        layer.bias.copy_(torch.tensor(outputs).repeat_interleave(len(layer.bias) // len(outputs)))
    return model


def interval_bits(distribution, x):
    """Bits per dimension of bytes under a density, by differences of its cdf."""
    low = np.where(x == 0, 0, distribution.cdf((x - 0.5) / 255))
    high = np.where(x == 255, 1, distribution.cdf((x + 0.5) / 255))
    return -np.log2(high - low).mean()


@pytest.mark.parametrize(
    ("kind", "args", "outputs", "density"),
    [
        ("gaussian", {"scale": 0.4}, [0.3], stats.norm(1 / (1 + np.exp(-0.3)), 0.4)),
        ("gaussian-learned", {"scale": 0.2}, [-1.0], stats.norm(1 / (1 + np.exp(1)), 0.2)),
        ("gaussian-heteroscedastic", {}, [0.0, 0.5], stats.norm(0.5, 0.5 * np.exp(0.5))),
        ("laplace", {"scale": 0.3}, [0.0], stats.laplace(0.5, 0.3)),
        (
            "discretised-logistic",
            {"scale": 0.2},
            [0.4, 0.3],
            stats.logistic(0.7, 0.2 * np.exp(0.3)),
        ),
        (
            "discretised-logistic-mixture",
            {"scale": 0.2, "components": 1},
            [0.0, -0.2, 0.1],
            stats.logistic(0.4, 0.2 * np.exp(0.1)),
        ),
    ],
)
def test_bits_of_a_constant_model_against_scipy(grey, kind, args, outputs, density):
    model = constant(model_of(kind, **args), outputs)
    found = evaluate(model, grey, ["likelihood"], samples=3, images=12).to_dict()
    expected = interval_bits(density, grey.test.x.double().numpy())
    assert found["bits_per_dimension"] == pytest.approx(expected, rel=1e-4)
    if kind in LEVELS:
        nats = found["bits_per_dimension"] * 60 * np.log(2)
        assert found["nll"] == pytest.approx(nats, rel=1e-6)
    assert found["units"]["bits_per_dimension"] == "bits"


@pytest.mark.parametrize("name", ["cvae", "iwae", "ladder-vae", "uniform-vae", "hierarchical-vae"])
@pytest.mark.parametrize("kind", ["gaussian-learned", "discretised-logistic-mixture"])
def test_models_of_other_kinds(grey, name, kind):
    if name == "hierarchical-vae":
        recipe = RECIPES[name].set("network.width", 2).set("likelihood", kind)
        model = build(recipe, sizes_for(recipe, (3, 4, 5)), seed=0).eval()
        data = grey
    else:
        recipe = RECIPES[name].set("network.hidden", (6,)).set("likelihood", kind)
        labels = torch.arange(12) % 3
        data = replace(grey, test=replace(grey.test, y=labels), classes=("a", "b", "c"))
        context = 3 if recipe.context else 0
        model = build(recipe, sizes_for(recipe, (3, 4, 5), context=context), seed=0).eval()
    found = evaluate(model, data, ["likelihood"], samples=10, images=12)
    bits = {record.name: record for record in found.records}["bits_per_dimension"]
    assert 4 < bits.value < 60
    assert bits.n == 12
    assert "10 samples" in bits.note
    assert "256 levels" in bits.note


def test_the_bound_of_levels_is_that_of_each_draw(grey):
    model = model_of("gaussian-learned")
    x = grey.test.x[:5]
    found = likelihood_bounds(model, x, samples=400, levels=True)
    plain = likelihood_bounds(model, x, samples=400)
    assert plain.log_levels is None
    torch.testing.assert_close(found.log_likelihood, plain.log_likelihood)
    # The interval of a level is 1/255 wide: the density is nearly the same within it.
    inner = x.clamp(1, 254)
    dense = likelihood_bounds(model, inner, samples=400, levels=True)
    expected = dense.log_likelihood - 60 * np.log(255)
    torch.testing.assert_close(dense.log_levels, expected, atol=0.05, rtol=0)


@pytest.mark.parametrize("kind", CONTINUOUS)
def test_a_density_of_floats_has_no_bits(grey, kind):
    floats = data_of(grey.test.x / 255)
    found = evaluate(model_of(kind), floats, ["likelihood"], samples=3, images=12).to_dict()
    assert "bits_per_dimension" not in found
    assert "nll" in found


@pytest.mark.parametrize("kind", LEVELS)
def test_floats_are_rounded_to_levels_and_that_is_said(grey, kind):
    floats = data_of((grey.test.x + 0.3).clamp(max=255) / 255)
    model = model_of(kind)
    found, bytes_ = (
        evaluate(model, data, ["likelihood"], samples=5, images=12).to_dict()
        for data in (floats, grey)
    )
    assert "rounded" in found["notes"]["bits_per_dimension"]
    assert "rounded" not in bytes_["notes"]["bits_per_dimension"]
    assert found["bits_per_dimension"] == pytest.approx(bytes_["bits_per_dimension"], rel=0.05)


def test_bernoulli_has_bits_of_binary_values_only(grey):
    model = model_of("bernoulli")
    found = evaluate(model, grey, ["likelihood"], samples=3, images=12).to_dict()
    assert "bits_per_dimension" not in found
    assert "no bits per dimension" in found["notes"]["nll"]
    binary = data_of((grey.test.x > 128).to(torch.uint8) * 255)
    found = evaluate(model, binary, ["likelihood"], samples=3, images=12).to_dict()
    assert found["bits_per_dimension"] == pytest.approx(found["nll"] / 60 / np.log(2), rel=1e-6)
    assert "values 0 and 1" in found["notes"]["bits_per_dimension"]


def test_likelihoods_compare_in_bits_and_say_the_same(grey):
    assert not metric_info("bits_per_dimension").density
    notes = {
        evaluate(model_of(kind), grey, ["likelihood"], samples=3, images=12).to_dict()["notes"][
            "bits_per_dimension"
        ]
        for kind in (*CONTINUOUS, *LEVELS)
    }
    assert len(notes) == 1


def test_the_error_of_bf16_is_measured_and_said(grey):
    model = model_of("gaussian")
    found = {
        precision: evaluate(model, grey, ["likelihood"], samples=20, precision=precision).to_dict()
        for precision in ("float32", "bf16")
    }
    assert "bf16" not in found["float32"]["notes"]["nll"]
    error = rounding_error(model, grey.test.x, samples=20)
    note = found["bf16"]["notes"]["nll"]
    assert (
        f"the values of 12 of them were also computed in float32, and differ by {error:.2g}" in note
    )

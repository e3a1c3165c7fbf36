"""The network for series: shapes, what it sees, against torch's Conv1d, and a training."""

import numpy as np
import pytest
import torch
from torch import nn

import autoencode as ae
from autoencode import RECIPES, Sizes, Spec
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.parts.networks.conv1d import Conv1d

LINEAR = {"norm": "none", "hidden": ()}


@pytest.mark.parametrize("x", [(1,), (2,), (7,), (64,), (101,), (3, 50), (1, 33), (12, 1)])
@pytest.mark.parametrize("name", ["ae", "cvae", "vq-vae"])
def test_any_length_and_number_of_channels(name, x):
    recipe = RECIPES[name].but(network=Spec("conv1d", {"width": 4, "hidden": (8,)}))
    sizes = sizes_for(recipe, x, context=3 if recipe.context else 0, n=20, labelled=10)
    model = build(recipe, sizes, seed=0).eval()
    context = torch.eye(3)[:2] if recipe.context else None
    code = model.encode(torch.rand(2, *x), context)
    assert model.decode(code.z, context).mean.shape == (2, *x)


def test_codes_that_are_maps_have_positions():
    recipe = RECIPES["conv-vq-vae"].but(network=Spec("conv1d", {"code": "map", "width": 4}))
    sizes = sizes_for(recipe, (64,))
    assert sizes.z == (recipe.latent, 1, 8)


@pytest.mark.parametrize("reach", [1, 2, 5])
@pytest.mark.parametrize("x", [(40,), (3, 41)])
def test_the_encoder_is_that_of_one_dimensional_convolutions(reach, x):
    torch.manual_seed(0)
    config = Conv1d(width=4, reach=reach, stages=2, **LINEAR)
    encoder = config.encoder(Sizes(x, (2,)), 2)
    series = torch.randn(5, *x)
    h = series.reshape(5, -1, x[-1])
    for layer in encoder.body:
        if isinstance(layer, nn.Conv2d):
            one = nn.Conv1d(
                layer.in_channels, layer.out_channels, 2 * reach + 1, stride=2, padding=reach
            )
            one.load_state_dict({"weight": layer.weight.squeeze(2), "bias": layer.bias})
            h = one(h)
        else:
            h = layer(h)
    torch.testing.assert_close(encoder.body(series.reshape(5, -1, 1, x[-1])).squeeze(2), h)


def test_shifted_series_have_shifted_features():
    torch.manual_seed(0)
    encoder = Conv1d(width=4, stages=2, **LINEAR).encoder(Sizes((64,), (2,)), 2)
    x = torch.zeros(1, 1, 1, 64)
    x[..., 30] = 1
    first, second = encoder.body(x), encoder.body(x.roll(4, -1))
    torch.testing.assert_close(first[..., 3:12], second[..., 4:13])


@pytest.mark.parametrize("x", [(3, 8, 8), (1, 28, 28)])
def test_images_with_channels_are_refused_with_a_fix(x):
    recipe = RECIPES["ae"].set("network", "conv1d")
    with pytest.raises(RecipeError, match=r"needs series.*Use network \"conv\""):
        build(recipe, Sizes(x, (2,)))
    build(recipe.set("network", "conv"), Sizes(x, (2,)))


@pytest.mark.parametrize("network", ["conv", "resnet"])
def test_other_networks_name_it(network):
    with pytest.raises(RecipeError, match="conv1d"):
        build(RECIPES["ae"].set("network", network), Sizes((64,), (2,)))


@pytest.mark.long
def test_series_are_learned_better_than_by_dense_layers():
    """Pulses at random positions: their position is a nonlinear code that dense layers miss."""
    draw = np.random.default_rng(0)
    at, width = draw.uniform(20, 108, (1200, 1)), draw.uniform(2, 4, (1200, 1))
    t = np.arange(128)
    x = np.exp(-(((t - at) / width) ** 2)).astype(np.float32)
    data = ae.load_data(x)
    settings = {"steps": 300, "batch_size": 100, "lr": 3e-3, "progress": False}
    errors = {}
    for network in ("mlp", "conv1d"):
        recipe = RECIPES["ae"].but(latent=4, network=Spec(network))
        fitted = ae.fit(recipe, data, **settings)
        errors[network] = ae.evaluate(fitted.model, data, ["reconstruction"])["squared_error"]
    print(errors)
    assert errors["conv1d"] < 0.8 * errors["mlp"]

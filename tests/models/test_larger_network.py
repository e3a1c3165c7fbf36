"""Convolutional networks for photographs are larger than those for digits."""

import numpy as np
import pytest

import autoencode as ae
from autoencode.models.adaptation import FORMER_HIDDEN, LARGER, LARGER_LR, for_data
from autoencode.models.recipes.base import NORMALISED
from autoencode.train.session import adapted


def noise(shape, n=40):
    """Continuous images, too few to tell whether they may be mirrored."""
    pixels = np.random.default_rng(0).integers(20, 236, (n, *shape)).astype(np.uint8)
    return ae.load_data(pixels)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 32, 32), (32, 32), (3, 24, 16)])
def test_large_images_have_a_larger_network(shape):
    recipe, notices = for_data(ae.RECIPES["conv-ae"], noise(shape))
    assert recipe.network.args["width"] == 16
    assert recipe.network.args["hidden"] == LARGER["hidden"]
    assert recipe.training["lr"] == LARGER_LR
    assert recipe.training["warmup"] == NORMALISED["warmup"]
    assert (
        "Its network is one for photographs: network.width=16, network.hidden=[1024, 512, 256], "
        "lr 0.001 in place of 0.003." in notices[-1]
    )


@pytest.mark.parametrize(
    ("latent", "hidden"),
    [(128, (1024, 512, 256)), (129, (1024, 512)), (256, (1024, 512)), (2000, (1024,))],
)
def test_no_layer_is_narrow_beside_the_code(latent, hidden):
    recipe, _ = for_data(ae.RECIPES["conv-ae"].but(latent=latent), noise((3, 32, 32)))
    assert recipe.network.args["hidden"] == hidden


@pytest.mark.parametrize("name", ["conv-ae", "ae", "vae"])
def test_small_images_and_other_networks_stay(name):
    shape = (3, 8, 8) if name == "conv-ae" else (3, 32, 32)
    recipe, notices = for_data(ae.RECIPES[name], noise(shape))
    assert recipe.training == ae.RECIPES[name].training
    assert {"width", "hidden"}.isdisjoint(recipe.network.args)
    assert "photographs" not in " ".join(notices)


def test_what_is_given_counts():
    data = noise((3, 32, 32))
    base = ae.RECIPES["conv-ae"]
    recipe, notices = for_data(base.set("network.width", 4), data)
    assert recipe.network.args["width"] == 4
    assert "photographs: network.hidden=[1024, 512, 256], lr" in notices[-1]
    recipe, notices = adapted(base, data, {"lr": 0.01, "flip": None})
    assert recipe.training == base.training
    assert "lr 0.001" not in notices[-1]
    recipe, _ = for_data(base.but(training={"lr": 0.002}), data)
    assert recipe.training == {"lr": 0.002}
    own = base.set("network.width", 8).set("network.hidden", (64,))
    recipe, notices = adapted(own, data, {"lr": 0.003})
    assert recipe.network.args["hidden"] == (64,)
    assert "photographs" not in " ".join(notices)


def test_a_training_says_it_and_keeps_it(tmp_path, capsys):
    data = noise((3, 32, 32), n=60)
    run = ae.fit("conv-ae", data, steps=2, out=tmp_path / "run", progress=True).run
    assert run.settings["lr"] == LARGER_LR
    assert run.recipe.network.args["hidden"] == LARGER["hidden"]
    assert "Its network is one for photographs" in capsys.readouterr().err


@pytest.mark.long
def test_a_training_from_the_weights_of_a_run_has_its_network(tmp_path):
    data = noise((3, 32, 32), n=60)
    ae.fit("conv-ae", data, steps=2, out=tmp_path / "first", progress=False)
    again = ae.fit("conv-ae", data, steps=2, init=str(tmp_path / "first"), progress=False)
    assert again.model.recipe.network.args["width"] == 16
    assert again.model.recipe.network.args["hidden"] == LARGER["hidden"]


@pytest.mark.long
def test_a_run_that_was_trained_with_the_former_network_goes_on_with_it(tmp_path):
    data = noise((3, 32, 32), n=60)
    former = ae.RECIPES["conv-ae"].set("network.width", 16).set("network.hidden", FORMER_HIDDEN)
    ae.fit(former, data, steps=2, out=tmp_path / "first", progress=False)
    again = ae.fit("conv-ae", data, steps=2, init=str(tmp_path / "first"), progress=False)
    assert again.model.recipe.network.args["hidden"] == FORMER_HIDDEN

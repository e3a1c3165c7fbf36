"""Files with an `Encoder` and a `Decoder`: their signatures, and a sigmoid that comes twice."""

import pytest

import autoencode as ae
from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.models.build import build

FILE = """
import torch
from torch import nn

class Encoder(nn.Module):
    def __init__(self, {encoder}):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, {outputs}))

    def forward(self, x):
        return self.layers(x)

class Decoder(nn.Module):
    def __init__(self, {decoder}):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear({inputs}, 16), nn.ReLU(), nn.Linear(16, 64))

    def forward(self, z):
        return {activation}(self.layers(z)).reshape(-1, 1, 8, 8)
"""


@pytest.fixture
def network(tmp_path):
    """network(…) -> the Spec of a file that is written with these signatures."""

    def written(
        encoder="latent_dims",
        decoder="latent_dims",
        outputs="latent_dims",
        inputs="latent_dims",
        activation="",
    ):
        path = tmp_path / "net.py"
        path.write_text(
            FILE.format(
                encoder=encoder,
                decoder=decoder,
                outputs=outputs,
                inputs=inputs,
                activation=activation,
            )
        )
        return ae.Spec(str(path))

    return written


@pytest.mark.parametrize(
    "signatures",
    [
        {},
        {"encoder": "n, hidden=3", "outputs": "n"},
        {"encoder": "sizes, features", "outputs": "features"},
        {"encoder": "sizes, features=4", "outputs": "features"},
        {"encoder": "*, width=4", "outputs": "width", "decoder": "d: int = 2", "inputs": "d"},
        {"decoder": "sizes, channels", "inputs": "sizes.latent"},
    ],
)
def test_signatures(network, signatures):
    recipe = ae.RECIPES["vae"].but(network=network(**signatures))
    model = build(recipe, Sizes((8, 8), (2,)), seed=0)
    assert model.encoder.network.module.layers[1].out_features == 4
    assert model.decoder.network.module.layers[0].in_features == 2


def test_a_signature_with_other_numbers_is_refused_by_its_shapes(network):
    recipe = ae.RECIPES["vae"].but(network=network(encoder="", outputs="3"))
    with pytest.raises(RecipeError, match=r"returns shape \(2, 3\), and \(2, 4\) is expected"):
        build(recipe, Sizes((8, 8), (2,)))


def trained(recipe, data, capsys):
    ae.fit(recipe, data, steps=1, batch_size=20, progress=False)
    return capsys.readouterr().err


TWICE = "applies a sigmoid again: images have values between 0.5 and 0.73 only"


@pytest.mark.parametrize(
    ("likelihood", "activation"),
    [
        ("gaussian", "torch.sigmoid"),
        ("laplace", "nn.Sigmoid()"),
        ("gaussian-learned", "torch.sigmoid"),
        ("bernoulli", "torch.sigmoid"),
        ("ms-ssim", "torch.nn.functional.hardsigmoid"),
    ],
)
def test_a_second_sigmoid_is_noticed_and_the_fix_removes_it(
    network, digits, capsys, likelihood, activation
):
    recipe = ae.RECIPES["vae"].but(
        network=network(activation=activation), likelihood=ae.Spec(likelihood)
    )
    said = trained(recipe, digits, capsys)
    assert TWICE in said
    assert "The decoder of net.py" in said
    options, _, in_python = said.partition("or use ")[2].strip().partition(" (")
    fixed = recipe
    for option in options.split("--set ")[1:]:
        fixed = fixed.set(*option.strip().split("="))
    assert eval(in_python.removesuffix(").")) == fixed
    assert fixed != recipe
    assert TWICE not in trained(fixed, digits, capsys)
    without = recipe.but(network=network())
    assert TWICE not in trained(without, digits, capsys)


@pytest.mark.parametrize("activation", ["", "torch.relu", "torch.tanh", "nn.Softplus()"])
def test_other_decoders_are_not_noticed(network, digits, capsys, activation):
    recipe = ae.RECIPES["ae"].but(network=network(activation=activation))
    assert TWICE not in trained(recipe, digits, capsys)

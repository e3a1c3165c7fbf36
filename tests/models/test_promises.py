"""Every promise of the contract, for every row of the table."""

import copy
import json

import pytest
import torch

from autoencode.contract import Autoencoder, Sizes
from autoencode.errors import DataError, RecipeError
from autoencode.models.assemble import build
from autoencode.models.objective import Objective
from autoencode.models.papers import PAPERS
from autoencode.models.recipe import Recipe
from autoencode.models.recipes import RECIPES

SHAPES = [(28, 28), (1, 28, 28), (3, 32, 32), (37, 53), (8, 8), (20,)]
ROWS = [(name, x) for name in RECIPES for x in SHAPES if not ("conv" in name and len(x) == 1)]


def made(name, x, latent=2, seed=0):
    return build(RECIPES[name].but(latent=latent), Sizes(x, (latent,), n=100), seed=seed)


@pytest.mark.parametrize(("name", "x"), ROWS)
def test_shapes_and_spaces(name, x):
    model = made(name, x, latent=3).eval()
    images = torch.rand(5, *x)
    assert isinstance(model, Autoencoder)
    codes, restored = model(images)
    assert codes.shape == (5, 3)
    assert restored.shape == images.shape
    assert model.encoder(images).shape == (5, 3)
    assert model.decoder(codes).shape == images.shape
    assert model.decode(codes).batch_shape == (5,)
    assert model.decode(codes).event_shape == x
    torch.testing.assert_close(model.decode(codes).mean, restored)
    drawn = model.encode(images, samples=4)
    assert drawn.z.shape == (4, 5, 3)
    assert model.decode(drawn.z).mean.shape == (4, 5, *x)
    if model.prior() is not None:
        z = model.prior().sample((7,))
        assert model.decoder(z).shape == (7, *x)
        assert model.prior().log_prob(z).shape == (7,)


@pytest.mark.parametrize("name", RECIPES)
def test_grey_images_come_with_and_without_their_channel(name):
    model = made(name, (28, 28)).eval()
    plain = torch.rand(4, 28, 28)
    with_channel = plain[:, None]
    torch.testing.assert_close(model.encoder(plain), model.encoder(with_channel))
    assert model(with_channel).images.shape == (4, 1, 28, 28)
    whole = (plain * 255).byte()
    torch.testing.assert_close(model.encoder(whole), model.encoder(whole.float() / 255))


@pytest.mark.parametrize(("name", "x"), ROWS)
def test_gradients_reach_every_parameter(name, x):
    torch.manual_seed(0)
    model = made(name, x)
    objective = Objective(model, model.recipe, model.sizes)
    objective(torch.rand(30, *x)).loss.backward()
    for parameter_name, parameter in objective.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", RECIPES)
def test_encode_is_deterministic_and_without_gradients_unless_training(name):
    model = made(name, (28, 28)).eval()
    x = torch.rand(5, 28, 28)
    torch.testing.assert_close(model.encode(x).z, model.encode(x).z, rtol=0, atol=0)
    assert not model.encode(x).z.requires_grad
    assert model.train().encode(x).z.requires_grad


@pytest.mark.parametrize("name", RECIPES)
def test_same_seed_same_weights_and_global_randomness_untouched(name):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second, other = made(name, (28, 28)), made(name, (28, 28)), made(name, (28, 28), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    weights = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_survives_json(name):
    row = RECIPES[name]
    assert Recipe.from_dict(json.loads(json.dumps(row.to_dict()))) == row


@pytest.mark.parametrize("name", RECIPES)
def test_row_is_documented(name):
    row = RECIPES[name]
    assert row.about
    assert row.papers
    assert all(key in PAPERS for key in row.papers)


@pytest.mark.parametrize("name", RECIPES)
def test_models_can_be_copied(name):
    model = made(name, (28, 28)).eval()
    x = torch.rand(3, 28, 28)
    torch.testing.assert_close(copy.deepcopy(model)(x).images, model(x).images)


@pytest.mark.parametrize("name", RECIPES)
def test_refuses_images_and_codes_of_other_sizes(name):
    model = made(name, (28, 28))
    for wrong in (torch.rand(2, 32, 32), torch.rand(2, 3, 28, 28), torch.rand(28, 28)):
        with pytest.raises(DataError, match=r"\(28, 28\)"):
            model.encoder(wrong)
    with pytest.raises(DataError, match="uint8"):
        model.encoder(torch.zeros(2, 28, 28, dtype=torch.int64))
    for wrong in (torch.rand(2, 3), torch.rand(2)):
        with pytest.raises(DataError, match=r"\(2,\)"):
            model.decoder(wrong)


@pytest.mark.parametrize("name", RECIPES)
def test_random_codes_spread_around_the_mean_code(name):
    model = made(name, (28, 28)).eval()
    x = torch.rand(3, 28, 28)
    torch.manual_seed(0)
    code = model.encode(x, samples=4000)
    torch.testing.assert_close(code.z.mean(0), model.encode(x).z, atol=0.1, rtol=0)
    spread = code.z.std(0)
    assert (spread > 0.1).all() if code.q is not None else (spread < 1e-6).all()


def test_conv_needs_images():
    with pytest.raises(RecipeError, match="mlp"):
        made("conv-ae", (20,))


@pytest.mark.parametrize("name", ["ae", "conv-ae"])
def test_context_is_seen_by_encoder_and_decoder(name):
    model = build(RECIPES[name], Sizes((28, 28), (2,), context=3), seed=0).eval()
    x, c = torch.rand(4, 28, 28), torch.eye(3)[[0, 1, 2, 0]]
    codes, images = model(x, c)
    other_codes, _ = model(x, c.flip(1))
    assert not torch.allclose(codes[0], other_codes[0])
    assert not torch.allclose(model.decoder(codes, c)[0], model.decoder(codes, c.flip(1))[0])
    assert images.shape == x.shape
    assert model.decode(codes.expand(5, 4, 2), c).batch_shape == (5, 4)

"""The transformer: patches and back, attention against torch's own layer, positions, training."""

import math

import pytest
import torch
from torch import nn

import autoencode as ae
from autoencode import RECIPES, Sizes, Spec
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.parts.networks.transformer import (
    Block,
    Transformer,
    from_patches,
    position_embeddings,
    to_patches,
)

SMALL = {"width": 16, "blocks": 1, "heads": 2}


@pytest.mark.parametrize("x", [(28, 28), (3, 32, 32), (1, 9, 13), (4, 8, 24), (3, 3)])
@pytest.mark.parametrize("code", ["vector", "map"])
@pytest.mark.parametrize("name", ["ae", "cvae", "vae"])
def test_images_of_any_size_and_number_of_channels(name, code, x):
    recipe = RECIPES[name].but(network=Spec("transformer", {**SMALL, "code": code}), latent=6)
    sizes = sizes_for(recipe, x, context=3 if recipe.context else 0, n=20)
    model = build(recipe, sizes, seed=0).eval()
    context = torch.eye(3)[:2] if recipe.context else None
    output = model.encode(torch.rand(2, *x), context)
    places = (-(-x[-2] // 4), -(-x[-1] // 4))
    assert output.z.shape == ((2, 6, *places) if code == "map" else (2, 6))
    assert model.decode(output.z, context).mean.shape == (2, *x)


@pytest.mark.parametrize("patch", [1, 3, 4, 7])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 13), (2, 28, 21)])
def test_patches_are_those_of_unfold_and_return_to_images(shape, patch):
    images = torch.randn(5, *shape)
    patches = to_patches(images, patch)
    high, wide = (-(-side // patch) for side in shape[1:])
    padded = torch.zeros(5, shape[0], high * patch, wide * patch)
    padded[..., : shape[1], : shape[2]] = images
    expected = nn.functional.unfold(padded, patch, stride=patch).mT
    assert torch.equal(patches, expected)
    assert torch.equal(from_patches(patches, (shape[0], high, wide), patch), padded)


@pytest.mark.parametrize(("width", "heads", "ratio"), [(16, 1, 4), (16, 4, 2), (24, 2, 1)])
def test_a_block_is_that_of_torch(width, heads, ratio):
    torch.manual_seed(0)
    block = Block(width, heads, ratio).eval()
    theirs = nn.TransformerEncoderLayer(
        width, heads, ratio * width, dropout=0.0, activation="gelu", batch_first=True,
        norm_first=True,
    ).eval()  # fmt: skip
    pairs = {
        theirs.self_attn.in_proj_weight: block.project.weight,
        theirs.self_attn.out_proj.weight: block.out.weight,
        theirs.self_attn.out_proj.bias: block.out.bias,
        theirs.linear1.weight: block.dense[0].weight,
        theirs.linear1.bias: block.dense[0].bias,
        theirs.linear2.weight: block.dense[2].weight,
        theirs.linear2.bias: block.dense[2].bias,
    }
    with torch.no_grad():
        for theirs_, ours in pairs.items():
            theirs_.copy_(ours)
        block.query_bias.normal_()
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.in_proj_bias[:width] = block.query_bias
    h = torch.randn(3, 7, width)
    torch.testing.assert_close(block(h), theirs(h), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("high", "wide", "width"), [(1, 1, 4), (7, 7, 64), (3, 5, 8)])
def test_positions_differ_and_follow_the_formula(high, wide, width):
    found = position_embeddings(high, wide, width)
    assert found.shape == (high * wide, width)
    assert len(found.unique(dim=0)) == high * wide
    quarter = width // 4
    for row in range(high):
        for column in range(wide):
            for i in range(quarter):
                rate = 10_000 ** (-i / quarter)
                place = found[row * wide + column]
                assert place[i].item() == pytest.approx(math.sin(row * rate), abs=1e-5)
                expected = math.cos(column * rate)
                assert place[3 * quarter + i].item() == pytest.approx(expected, abs=1e-5)


def test_every_patch_reaches_every_code_and_back():
    torch.manual_seed(0)
    network, sizes = Transformer(**SMALL, code="map"), Sizes((8, 12), (3, 2, 3))
    encoder, decoder = network.encoder(sizes, 18), network.decoder(sizes, 1)
    x = torch.rand(1, 8, 12, requires_grad=True)
    z = encoder(x).reshape(1, 3, 2, 3)
    z[0, :, 1, 2].sum().backward()
    assert (x.grad != 0).all()
    code = torch.randn(1, 3, 2, 3, requires_grad=True)
    decoder(code)[0, 0, 0, 0].backward()
    assert (code.grad != 0).all()


def test_widths_that_heads_do_not_divide_are_refused_with_one_that_fits():
    for width, heads in ((30, 4), (8, 3), (4, 8), (50, 5)):
        with pytest.raises(RecipeError, match="multiple of") as error:
            Transformer(width=width, heads=heads)
        better = int(str(error.value).rpartition("network.width=")[2].rstrip("."))
        Transformer(width=better, heads=heads)


def test_vectors_are_refused():
    with pytest.raises(RecipeError, match="needs images"):
        sizes_for(RECIPES["ae"].but(network=Spec("transformer", {"code": "map"})), (30,))


@pytest.mark.long
@pytest.mark.parametrize("linear", ["none", "pca"])
def test_it_learns_digits(linear):
    recipe = RECIPES["ae"].but(network=Spec("transformer", {"linear": linear}), latent=16)
    recipe = recipe.set("likelihood.mean", "identity" if linear == "pca" else "sigmoid")
    data = ae.load_data("digits")
    fitted = ae.fit(recipe, data, steps=400, lr=2e-3, seed=0, batch_size=100)
    found = ae.evaluate(fitted.model, data, ["reconstruction"])
    assert found["squared_error"] < 0.25 * found["squared_error_of_mean"]

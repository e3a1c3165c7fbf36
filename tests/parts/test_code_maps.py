"""Codes that are maps: so many numbers at each place of the smallest one."""

import pytest
import torch

from autoencode.contract import Sizes
from autoencode.data import load_data
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load
from autoencode.parts import NETWORKS
from autoencode.train import fit


def mapped(name, latent=3, **changes):
    row = RECIPES[name].but(latent=latent).set("network", changes.pop("network", "conv"))
    for address, value in {"network.code": "map", **changes}.items():
        row = row.set(address, value)
    return row


@pytest.mark.parametrize("network", ["conv", "resnet"])
@pytest.mark.parametrize(
    ("x", "places"), [((28, 28), (7, 7)), ((3, 16, 20), (4, 5)), ((1, 19, 21), (5, 6))]
)
def test_any_image_has_its_map(network, x, places):
    row = mapped("ae", network=network)
    model = build(row, sizes_for(row, x), seed=0).eval()
    assert model.sizes.z == (3, *places)
    codes, images = model(torch.rand(2, *x))
    assert codes.shape == (2, 3, *places)
    assert images.shape == (2, *x)


def test_a_place_sees_its_part_of_the_image():
    row = mapped("ae", **{"network.norm": "none"})
    model = build(row, sizes_for(row, (28, 28)), seed=0).eval()
    x = torch.zeros(1, 28, 28)
    spot = x.clone()
    spot[0, :6, :6] = 1
    moved = (model.encoder(spot) != model.encoder(x)).any(1)[0]
    assert moved[0, 0]
    assert not moved[4:, 4:].any()
    # And the other way: a change of one place of the code stays near it in the image.
    z = model.encoder(x)
    other = z.clone()
    other[0, :, 0, 0] += 1
    changed = (model.decoder(z) != model.decoder(other))[0]
    assert changed[:4, :4].any()
    assert not changed[16:, 16:].any()


@pytest.mark.parametrize("name", ["vae", "iwae", "cvae", "m2", "mog-vae", "wae-mmd", "fsq"])
def test_slots_take_maps(name):
    torch.manual_seed(0)
    row = mapped(name, latent=2)
    sizes = sizes_for(row, (16, 16), context=3 if row.context else 0, n=50)
    model = build(row, sizes, seed=0)
    known = torch.arange(6) % 3 if row.context else None
    forward_pass = model.forward_pass(torch.rand(6, 16, 16), known)
    assert forward_pass.code.z.shape[-4:] == (6, 2, 8, 8)
    assert forward_pass.px.mean.shape[-3:] == (6, 16, 16)
    assert forward_pass.px.log_prob(forward_pass.x).isfinite().all()


@pytest.mark.long
def test_indices_of_a_map_are_drawn_and_kept(tmp_path):
    data = load_data("digits")
    row = RECIPES["conv-vq-vae"].set("sampler.steps", 5)
    fit(row, data, out=tmp_path / "run", steps=20, batch_size=50, progress=False)
    model = load(tmp_path / "run")
    assert model.sizes.z == (8, 4, 4)
    drawn = model.sampler().sample((3,))
    assert drawn.shape == (3, 8, 4, 4)
    assert model.decoder(drawn).shape == (3, 8, 8)
    assert model.encode(data.test.x[:5]).index.shape == (5, 16)


def test_where_only_vectors_have_a_meaning_maps_are_refused():
    for name in ("ladder-vae", "m1-m2", "uniform-vae", "sphere-vae", "planar-vae", "iaf-vae"):
        with pytest.raises(RecipeError, match="vectors"):
            sizes_for(mapped(name, latent=6), (16, 16), context=3)
    row = mapped("flow-vae")
    sizes = sizes_for(row, (16, 16))
    with pytest.raises(RecipeError, match="flow"):
        build(row, sizes, seed=0)
    with pytest.raises(RecipeError, match=r"with 7.7 positions"):
        NETWORKS["conv"]().encoder(Sizes((28, 28), (2, 3, 3)), 18)

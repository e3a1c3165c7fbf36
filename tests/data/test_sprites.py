import colorsys
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from autoencode.data import SOURCES, load_data
from autoencode.data.named.sprites import FACTORS, read_sprites
from autoencode.data.split.binarisation import binarised
from autoencode.data.storage import MemoryStorage

pytestmark = pytest.mark.long

# Of all images and factors: another one is another data set.
DIGEST = "113cd0616ee5ef0c6362b985942e7e73974c74a19ba8656835f8888c4e7290c9"


@pytest.fixture(scope="module")
def data():
    return load_data("sprites")


@pytest.fixture(scope="module")
def raw():
    return read_sprites(SOURCES["sprites"])


def of(part, name):
    return part.factors[:, list(FACTORS).index(name)].numpy()


def test_three_parts_of_images_labels_and_factors(data):
    assert data.shape == SOURCES["sprites"].shape == (3, 64, 64)
    assert (len(data.train), len(data.validation), len(data.test)) == (10_800, 1_200, 3_000)
    assert data.classes == ("square", "ellipse", "heart")
    assert data.factors == ("shape", "scale", "rotation", "x", "y", "colour")
    assert data.unordered == ("shape", "colour")
    assert data.notices == ()  # none is there twice
    for part in (data.train, data.validation, data.test):
        assert part.x.dtype == torch.uint8
        assert part.factors.dtype == torch.int64
        assert part.factors.shape == (len(part), 6)
        assert part.factors.amin(0).tolist() == [0] * 6
        assert (part.factors.amax(0) + 1).tolist() == list(FACTORS.values())
        np.testing.assert_array_equal(of(part, "shape"), part.y)


def test_the_bytes_are_always_the_same(raw):
    sha = hashlib.sha256(raw.parts["all"][0].data)
    for values in raw.factors.values():
        sha.update(values.astype("<i8").data)
    assert sha.hexdigest() == DIGEST


def test_factors_are_even_and_independent(raw):
    values = np.stack(list(raw.factors.values()), 1)
    assert len(np.unique(values, axis=0)) == len(values) == 15_000
    for each, n in zip(values.T, FACTORS.values(), strict=True):
        counts = np.bincount(each, minlength=n)
        chi = ((counts - 15_000 / n) ** 2 / (15_000 / n)).sum()
        assert abs(chi - (n - 1)) < 4 * np.sqrt(2 * n)
    assert np.abs(np.corrcoef(values.T) - np.eye(6)).max() < 4 / np.sqrt(15_000)


def test_places_sizes_and_colours_are_those_of_the_factors(data):
    part = data.test
    light = part.x.double().amax(1).numpy() / 255
    mass = light.sum((1, 2))
    across = (light.sum(1) * np.arange(64)).sum(1) / mass
    down = (light.sum(2) * np.arange(64)).sum(1) / mass
    np.testing.assert_allclose(across, of(part, "x") + 16, atol=0.08)
    np.testing.assert_allclose(down, of(part, "y") + 16, atol=0.08)
    area = (18.5 * (0.5 + of(part, "scale") / 10)) ** 2
    np.testing.assert_allclose(mass, area, rtol=0.02)
    brightest = part.x.flatten(2).amax(2).numpy() / 255
    hues = np.array([colorsys.rgb_to_hsv(*rgb)[0] for rgb in brightest])
    np.testing.assert_allclose(hues, of(part, "colour") / 8, atol=0.01)
    assert light[:, [0, -1]].max() == 0 == light[:, :, [0, -1]].max()


def moment(images, order):
    """The direction of a shape that looks the same after 1/order of a turn, in degrees."""
    light = images.double().amax(1).numpy()
    places = np.arange(64)
    mass = light.sum((1, 2))
    across = (light.sum(1) * places).sum(1) / mass
    down = (light.sum(2) * places).sum(1) / mass
    z = (places - across[:, None])[:, None, :] - 1j * (places - down[:, None])[:, :, None]
    power = {1: z * abs(z) ** 2, 2: z**2, 4: z**4}[order]
    return np.rad2deg(np.angle((light * power).sum((1, 2))))


@pytest.mark.parametrize(("shape", "order", "begin"), [(0, 4, 180), (1, 2, 0), (2, 1, 90)])
def test_shapes_turn_anticlockwise_by_their_rotation(data, shape, order, begin):
    chosen = (of(data.test, "shape") == shape) & (of(data.test, "scale") == 5)
    seen = moment(data.test.x[torch.from_numpy(chosen)], order)
    # Of moments of that order the angle goes once around while the shape does its part of a turn.
    expected = begin + 360 * of(data.test, "rotation")[chosen] / 40
    assert np.abs((seen - expected + 180) % 360 - 180).max() < 5


def test_all_combinations_of_shape_scale_and_rotation_differ(raw):
    images = raw.parts["all"][0].max(1)
    same = np.stack([raw.factors[name] for name in ("shape", "scale", "rotation")], 1)
    _, first = np.unique(same, axis=0, return_index=True)
    assert len(first) == 720
    patches = set()
    for i in first:
        row, column = raw.factors["y"][i], raw.factors["x"][i]
        patch = images[i, row : row + 33, column : column + 33]
        patches.add((patch / patch.max()).round(2).tobytes())
    assert len(patches) == 720


def test_edges_are_soft_and_the_inside_is_even(data):
    light = data.test.x.amax(1).flatten(1)
    assert (light.amax(1) == 255).all()
    soft = ((light > 0) & (light < 255)).sum(1)[of(data.test, "rotation") > 0]
    inside = (light == 255).sum(1)
    assert soft.min() >= 8
    assert soft.double().mean() < 0.5 * inside.double().mean()


def test_factors_survive_the_options(data, monkeypatch):
    monkeypatch.setitem(SOURCES, "sprites", replace(SOURCES["sprites"], images=400))
    other = load_data("sprites", size=(32, 32), labelled=60, seed=1, validation=50)
    assert other.train.x.shape == (270, 3, 32, 32)
    assert (other.train.y >= 0).sum() == 60
    light = other.train.x.double().amax(1)
    across = (light.sum(1) * torch.arange(32)).sum(1) / light.sum((1, 2))
    np.testing.assert_allclose(2 * across + 0.5, of(other.train, "x") + 16, atol=0.3)
    again = load_data(other.source, **json.loads(json.dumps(other.options)))
    assert again.fingerprint == other.fingerprint != load_data("sprites").fingerprint
    few = {"train": replace(data.test, x=data.test.x[:9]), "test": data.test}
    for part in binarised(few, "dynamic", 0, MemoryStorage(reuse=False).replace).values():
        assert part.factors is data.test.factors


def test_the_fingerprint_knows_the_factors(data):
    from autoencode.data.records import fingerprint

    turned = replace(data.test, factors=data.test.factors.flip(1))
    bare = replace(data.test, factors=None)
    assert len({fingerprint({"test": part}) for part in (data.test, turned, bare)}) == 3


def test_other_data_have_no_factors():
    data = load_data("digits")
    assert data.factors == data.unordered == ()
    assert data.train.factors is None
    assert data.test.factors is None

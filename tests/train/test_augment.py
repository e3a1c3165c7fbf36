"""Small affine maps of images, beside scipy's."""

import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform

from autoencode.data import load_data
from autoencode.errors import DataError
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit
from autoencode.train.augment import (
    MAX_ROTATION,
    MAX_SCALING,
    MAX_SHEAR,
    augmented,
    matrices,
    mirrored,
    warped,
)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_warps_as_scipy_does():
    x = images(3, 12, 12)
    turn, slant, size = torch.tensor([[0.1, -0.15, 0.0], [0.0, 0.1, -0.1], [1.0, 0.9, 1.1]])
    maps = matrices(turn, slant, size)
    found = warped(x, maps)
    for image, each, seen in zip(x, maps, found, strict=True):
        # scipy counts rows first, and from the corner.
        by_rows = each.numpy()[::-1, ::-1]
        middle = np.full(2, 5.5)
        expected = affine_transform(
            image.numpy(), by_rows, middle - by_rows @ middle, order=1, mode="nearest"
        )
        np.testing.assert_allclose(seen.numpy(), expected, atol=1e-5)


def test_turns_by_the_angle_and_changes_the_size():
    zero, one = torch.zeros(1), torch.ones(1)
    quarter = torch.full((1,), torch.pi / 2)
    x = images(1, 9, 9)
    torch.testing.assert_close(
        warped(x, matrices(quarter, zero, one))[0], x[0].rot90(), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(warped(x, matrices(zero, zero, one)), x)
    assert torch.linalg.det(matrices(quarter, one, 2 * one)).item() == pytest.approx(4)


@pytest.mark.parametrize("shape", [(12, 12), (3, 10, 14)])
def test_a_share_of_the_images_is_seen_so(shape):
    x = images(4_000, *shape)
    torch.manual_seed(0)
    found = augmented(x, 0.3)
    assert found.shape == x.shape
    assert found.min() >= 0
    assert found.max() <= 1
    changed = (found != x).flatten(1).any(1).double().mean().item()
    assert changed == pytest.approx(0.3)
    torch.manual_seed(0)
    assert torch.equal(augmented(x, 0.3), found)
    assert torch.equal(augmented(x, 0.0), x)


@pytest.mark.parametrize("shape", [(12, 12), (3, 10, 14)])
def test_half_of_the_images_are_mirrored(shape):
    x = images(2_000, *shape)
    torch.manual_seed(0)
    found = mirrored(x)
    changed = (found != x).flatten(1).any(1)
    assert changed.double().mean().item() == pytest.approx(0.5, abs=0.05)
    # The last dimension is the width.
    assert torch.equal(found[changed], torch.from_numpy(x[changed].numpy()[..., ::-1].copy()))


def test_maps_stay_small():
    n = 1_000
    u = torch.rand(3, n, generator=torch.Generator().manual_seed(0)) * 2 - 1
    maps = matrices(u[0] * MAX_ROTATION, u[1] * MAX_SHEAR, 1 + u[2] * MAX_SCALING)
    # A corner of the image moves by less than two of seven steps to the middle.
    corner = torch.tensor([1.0, 1.0])
    assert (maps @ corner - corner).abs().max() < 0.45


def test_trains_on_what_is_seen(digits):
    small = RECIPES["ae"].set("network.hidden", (16,))
    settings = {"steps": 20, "batch_size": 32, "progress": False}
    given = {}, {"augment": 1}, {"augment": 1}, {"flip": True}, {"flip": True}
    plain, *changed = (fit(small, digits, **each, **settings).model.state_dict() for each in given)
    for first, again in zip(changed[::2], changed[1::2], strict=True):
        torch.testing.assert_close(first, again, rtol=0, atol=0)
        assert any(not torch.equal(plain[name], first[name]) for name in plain)


@pytest.mark.parametrize("given", [{"augment": 0.5}, {"flip": True}])
def test_vectors_are_refused(given):
    vectors = load_data(np.random.default_rng(0).random((60, 5), np.float32))
    with pytest.raises(DataError, match="vectors"):
        fit(RECIPES["ae"], vectors, steps=5, progress=False, **given)


def test_a_row_that_asks_for_it_takes_vectors_as_they_are():
    vectors = load_data(np.random.default_rng(0).random((60, 5), np.float32))
    row, settings = RECIPES["ae"].set("network.hidden", (4,)), {"steps": 5, "progress": False}
    plain, asking = (
        fit(each, vectors, **settings).model.state_dict()
        for each in (row, row.but(training={"augment": 1.0}))
    )
    torch.testing.assert_close(asking, plain, rtol=0, atol=0)

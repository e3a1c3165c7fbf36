import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from autoencode.contract import Corruption, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.corruptions import CORRUPTIONS

SHAPES = [(8, 8), (28, 28), (3, 9, 12), (1, 5, 7), (20,)]
NEEDS_IMAGES = ("blur", "occlusion", "masked-patches")


def corruption(name, x=(28, 28), **args):
    return CORRUPTIONS[name](Sizes(x, (2,)), **args)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("x", SHAPES)
def test_spoils_examples_of_any_shape_and_stays_in_range(name, x):
    if len(x) == 1 and name in NEEDS_IMAGES:
        with pytest.raises(RecipeError, match=f'"{name}" needs images.*vectors of 20.*masking'):
            corruption(name, x)
        return
    torch.manual_seed(0)
    clean = torch.rand(6, *x)
    kept = clean.clone()
    part = corruption(name, x)
    assert isinstance(part, Corruption)
    for mode in (part.train(), part.eval()):  # noise in evaluation too
        spoiled = mode(clean)
        assert spoiled.shape == clean.shape
        assert spoiled.dtype == clean.dtype
        assert ((spoiled >= 0) & (spoiled <= 1)).all()
        assert (spoiled != clean).flatten(1).any(1).all()
    assert torch.equal(clean, kept)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_same_seed_gives_the_same_noise_in_any_precision(name):
    part = corruption(name)
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(3, 28, 28, dtype=dtype)
        runs = []
        for _ in range(2):
            torch.manual_seed(5)
            runs.append(part(x))
        assert torch.equal(*runs)
        assert runs[0].dtype == dtype


def test_gaussian_noise_is_a_clipped_normal():
    """Mean and mass at the ends, against the censored normal of scipy."""
    torch.manual_seed(0)
    scale, clean = 0.5, 0.3
    noisy = corruption("gaussian-noise", scale=scale)(torch.full((400, 28, 28), clean))
    below, above = (0 - clean) / scale, (1 - clean) / scale
    inside = norm.cdf(above) - norm.cdf(below)
    mean = clean * inside + scale * (norm.pdf(below) - norm.pdf(above)) + norm.sf(above)
    assert noisy.mean().item() == pytest.approx(mean, abs=0.004)
    assert (noisy == 0).float().mean().item() == pytest.approx(norm.cdf(below), abs=0.004)
    assert (noisy == 1).float().mean().item() == pytest.approx(norm.sf(above), abs=0.004)


def test_masking_keeps_what_it_does_not_hide():
    torch.manual_seed(0)
    clean = torch.rand(300, 3, 10, 10) + 0.01
    spoiled = corruption("masking", (3, 10, 10), share=0.3)(clean.clamp(max=1))
    hidden = spoiled == 0
    assert torch.equal(spoiled[~hidden], clean.clamp(max=1)[~hidden])
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.01)
    # Colours of one pixel are hidden independently of each other.
    together = (hidden[:, 0] & hidden[:, 1]).float().mean().item()
    assert together == pytest.approx(0.09, abs=0.01)


def test_salt_and_pepper_are_equally_many():
    torch.manual_seed(0)
    clean = torch.full((300, 28, 28), 0.4)
    spoiled = corruption("salt-and-pepper", share=0.2)(clean)
    for value in (0.0, 1.0):
        assert (spoiled == value).float().mean().item() == pytest.approx(0.1, abs=0.005)
    assert ((spoiled == 0) | (spoiled == 1) | (spoiled == clean)).all()


@pytest.mark.parametrize("name", ["masking", "salt-and-pepper"])
def test_shares_of_none_and_all(name):
    clean = torch.full((4, 28, 28), 0.5)
    assert torch.equal(corruption(name, share=0.0)(clean), clean)
    assert not (corruption(name, share=1.0)(clean) == 0.5).any()


@pytest.mark.parametrize("x", [(9, 14), (3, 16, 11)])
@pytest.mark.parametrize("sigma", [0.4, 1.5, 6.0])
def test_blur_is_scipys(x, sigma):
    torch.manual_seed(0)
    clean = torch.rand(3, *x, dtype=torch.float64)
    widths = (0.0,) * (len(x) - 1) + (sigma, sigma)
    radius = (0,) * (len(x) - 1) + (math.ceil(4 * sigma),) * 2
    expected = gaussian_filter(clean.numpy(), widths, mode="nearest", radius=radius)
    np.testing.assert_allclose(corruption("blur", x, sigma=sigma)(clean).numpy(), expected)


def test_blur_is_exact_under_autocast():
    part, clean = corruption("blur"), torch.rand(4, 28, 28)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spoiled = part(clean)
    torch.testing.assert_close(spoiled, part(clean), rtol=0, atol=0)


@pytest.mark.parametrize("x", [(10, 20), (3, 10, 20)])
def test_occlusion_is_one_rectangle_somewhere_else_in_each_image(x):
    torch.manual_seed(0)
    spoiled = corruption("occlusion", x, share=0.3)(torch.ones(500, *x))
    hidden = (spoiled == 0).reshape(500, -1, 10, 20)
    assert (hidden == hidden[:, :1]).all()  # all channels alike
    hidden = hidden[:, 0]
    rows, columns = hidden.any(2), hidden.any(1)
    assert (rows.sum(1) == 3).all()
    assert (columns.sum(1) == 6).all()
    assert torch.equal(hidden, rows[:, :, None] & columns[:, None, :])
    tops, lefts = rows.int().argmax(1), columns.int().argmax(1)
    assert (rows.int().diff(dim=1) == 1).sum(1).max() <= 1  # one piece
    assert set(tops.tolist()) == set(range(8))
    assert set(lefts.tolist()) == set(range(15))


def test_occlusion_hides_at_least_a_pixel_and_at_most_all():
    ones = torch.ones(5, 8, 8)
    assert (corruption("occlusion", (8, 8), share=0.0)(ones) == 0).sum() == 5
    assert not corruption("occlusion", (8, 8), share=1.0)(ones).any()

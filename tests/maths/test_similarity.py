"""SSIM and MS-SSIM against scikit-image, and what a likelihood of them promises."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from skimage.transform import downscale_local_mean

from autoencode.maths import SimilarityEnergy, ms_ssim, ssim
from autoencode.maths.similarity import scales

# As published, for five scales.
PUBLISHED = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def pair(shape, noise=0.2):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, *shape, generator=generator, dtype=torch.float64)
    x = torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1)
    y = x + noise * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return x, y.clamp(0, 1)


def theirs(x, y, **constants):
    return structural_similarity(
        x,
        y,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1,
        channel_axis=0,
        **constants,
    )


def their_ms_ssim(x, y, count):
    weights = np.array(PUBLISHED[:count]) / sum(PUBLISHED[:count])
    product = 1.0
    for scale, weight in enumerate(weights, 1):
        # With a huge first constant the luminance factor is 1, and contrast and structure remain.
        mean = theirs(x, y) if scale == count else theirs(x, y, K1=1e6)
        product *= mean**weight
        high, wide = (side - side % 2 for side in x.shape[1:])
        x, y = (downscale_local_mean(a[:, :high, :wide], (1, 2, 2)) for a in (x, y))
    return product


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 37, 53), (2, 11, 40)])
def test_ssim_is_that_of_skimage(shape):
    x, y = pair(shape)
    expected = [theirs(a.numpy(), b.numpy()) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ssim(x, y).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("shape", "count"),
    [((1, 28, 28), 2), ((3, 64, 44), 3), ((1, 21, 33), 1), ((1, 47, 93), 3), ((1, 200, 176), 5)],
)
def test_ms_ssim_is_the_weighted_product_of_skimages_factors(shape, count):
    x, y = pair(shape, noise=0.05)
    assert scales(*shape[1:]) == count
    expected = [their_ms_ssim(a.numpy(), b.numpy(), count) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(ms_ssim(x, y).numpy(), expected, rtol=1e-8)


def test_reflected_images_have_a_window_at_every_pixel():
    x, y = pair((1, 21, 33))  # of one scale
    wide = [np.pad(t.numpy(), ((0, 0), (0, 0), (5, 5), (5, 5)), "reflect") for t in (x, y)]
    expected = [theirs(a, b) for a, b in zip(*wide, strict=True)]
    np.testing.assert_allclose(ms_ssim(x, y, reflect=True).numpy(), expected, rtol=1e-9)


def test_identical_images_are_wholly_alike_and_opposite_ones_are_finite():
    x = pair((1, 28, 28))[0].requires_grad_()
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(3, dtype=torch.float64))
    opposite = ms_ssim(x, 1 - x)
    assert (opposite < 0.1).all()
    opposite.sum().backward()
    assert x.grad.isfinite().all()


def test_gradient_is_that_of_finite_differences():
    x, y = pair((1, 22, 22), noise=0.1)
    x, y = x[:1], y[:1].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda image: ms_ssim(x, image), (y,), fast_mode=True)


def test_energy_has_its_mode_at_its_mean_and_broadcasts_over_samples():
    x, y = pair((1, 28, 28))
    loc = torch.stack([y, x]).squeeze(2)  # two samples of three grey images
    p = SimilarityEnergy(loc, 50.0, 2)
    assert (p.batch_shape, p.event_shape) == ((2, 3), (28, 28))
    nats = p.log_prob(x.squeeze(1))
    assert nats.shape == (2, 3)
    torch.testing.assert_close(nats[1], torch.zeros(3, dtype=torch.float64))
    assert ((nats[0] < -1) & (nats[0] > -50)).all()
    torch.testing.assert_close(p.mean, loc)
    apart = SimilarityEnergy(loc[0, 1], 50.0, 2).log_prob(x[1, 0])
    torch.testing.assert_close(apart, nats[0, 1])


def test_a_wrong_pixel_costs_at_the_border_too():
    torch.manual_seed(0)
    x = 0.4 + 0.2 * torch.rand(1, 28, 28, dtype=torch.float64)
    p = SimilarityEnergy(x, 1.0, 2)

    def cost(row, column):
        wrong = x.clone()
        wrong[0, row, column] += 0.3
        return -p.log_prob(wrong).item()

    inside = cost(14, 14)
    assert min(cost(0, 14), cost(14, 27)) > 0.4 * inside > 0
    assert min(cost(0, 0), cost(27, 27)) > 0.15 * inside

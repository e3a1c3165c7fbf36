"""The likelihoods beyond squared error and cross-entropy: absolute error, and structure."""

import math

import pytest
import torch
from torch.nn.functional import l1_loss

from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.maths import ms_ssim
from autoencode.parts import LIKELIHOODS


def test_laplace_is_the_absolute_error_and_a_constant():
    theta, x = torch.randn(5, 2, 1, 6, 7), torch.rand(2, 6, 7)
    px = LIKELIHOODS["laplace"](Sizes((6, 7), (2,)), scale=0.25)(theta)
    assert (px.batch_shape, px.event_shape) == ((5, 2), (6, 7))
    mean = theta.squeeze(2).sigmoid()
    torch.testing.assert_close(px.mean, mean)
    error = l1_loss(mean, x.expand(5, 2, 6, 7), reduction="none").sum((-2, -1))
    torch.testing.assert_close(-px.log_prob(x), error / 0.25 + 42 * math.log(0.5))


def test_laplace_of_one_pixel_is_a_density():
    px = LIKELIHOODS["laplace"](Sizes((1,), (2,)), mean="identity")(torch.zeros(1, 1, 1))
    grid = torch.linspace(-30, 30, 60_001)[:, None]
    total = torch.trapezoid(px.log_prob(grid).exp(), grid[:, 0])
    assert total.item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("x", [(28, 28), (3, 32, 40), (8, 9)])
def test_ms_ssim_charges_what_is_unlike(x):
    torch.manual_seed(0)
    part = LIKELIHOODS["ms-ssim"](Sizes(x, (2,)), scale=40.0)
    theta = torch.randn(4, 3, 1, *x).requires_grad_()
    images = torch.rand(3, *x)
    px = part(theta)
    assert (px.batch_shape, px.event_shape) == ((4, 3), x)
    nats = -px.log_prob(images)
    assert nats.shape == (4, 3)
    assert ((nats > 0) & (nats < 40)).all()
    nats.sum().backward()
    assert (theta.grad.flatten(2) != 0).any(-1).all()
    wide = (images.reshape(3, -1, *x[-2:]), px.mean[0].reshape(3, -1, *x[-2:]))
    torch.testing.assert_close(nats[0], 40 * (1 - ms_ssim(*wide, reflect=True)))


def test_ms_ssim_is_computed_in_float32():
    part = LIKELIHOODS["ms-ssim"](Sizes((16, 16), (2,)))
    theta = torch.randn(2, 1, 16, 16)
    x = torch.rand(2, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        half = part(theta.bfloat16()).log_prob(x)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, part(theta.bfloat16().float()).log_prob(x))


def test_a_schedule_can_move_the_scales():
    theta, x = torch.randn(2, 1, 16, 16), torch.rand(2, 16, 16)
    part = LIKELIHOODS["ms-ssim"](Sizes((16, 16), (2,)), scale=10.0)
    before = part(theta).log_prob(x)
    part.scale = 20.0
    torch.testing.assert_close(part(theta).log_prob(x), 2 * before)


@pytest.mark.parametrize("x", [(20,), (7, 40), (3, 40, 7)])
def test_ms_ssim_refuses_vectors_and_slivers(x):
    with pytest.raises(RecipeError, match=r"sides of 8 pixels.*gaussian"):
        LIKELIHOODS["ms-ssim"](Sizes(x, (2,)))

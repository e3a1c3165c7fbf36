import math

import pytest
import torch
from torch.distributions import Independent, Normal

from autoencode.maths import Float32Linear, SharedScaleNormal, standard_normal


@pytest.mark.parametrize(("batch", "event"), [((4,), (28, 28)), ((3, 4), (5,)), ((2,), (3, 6, 7))])
def test_shared_scale_normal_is_torchs(batch, event):
    torch.manual_seed(0)
    loc, scale = torch.randn(*batch, *event), torch.tensor(0.3)
    ours = SharedScaleNormal(loc, scale, len(event))
    theirs = Independent(Normal(loc, scale.expand_as(loc)), len(event))
    x = torch.randn(*batch, *event)
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x), rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert ours.batch_shape == theirs.batch_shape
    assert ours.event_shape == theirs.event_shape
    torch.testing.assert_close(ours.mean, theirs.mean)
    torch.testing.assert_close(ours.variance, theirs.variance)


def test_log_prob_broadcasts_one_image_over_samples():
    loc, x = torch.randn(5, 2, 3), torch.randn(2, 3)
    ours = SharedScaleNormal(loc, torch.tensor(1.0), 1).log_prob(x)
    torch.testing.assert_close(ours, Normal(loc, 1.0).log_prob(x).sum(-1))


def test_density_integrates_to_one():
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    density = SharedScaleNormal(
        torch.full_like(grid, 0.7), torch.tensor(1.3, dtype=torch.float64), 1
    )
    assert torch.trapezoid(density.log_prob(grid).exp(), grid[:, 0]).item() == pytest.approx(1)


def test_samples_have_the_moments():
    torch.manual_seed(0)
    draws = SharedScaleNormal(torch.tensor([[1.0, -2.0]]), torch.tensor(0.5), 1).rsample((40_000,))
    assert draws.shape == (40_000, 1, 2)
    torch.testing.assert_close(draws.mean(0), torch.tensor([[1.0, -2.0]]), atol=0.02, rtol=0)
    torch.testing.assert_close(draws.std(0), torch.tensor([[0.5, 0.5]]), atol=0.02, rtol=0)


def test_log_prob_gradients_are_those_of_finite_differences():
    loc = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    log_scale = torch.tensor(-0.4, dtype=torch.float64, requires_grad=True)
    x = torch.randn(2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda m, s: SharedScaleNormal(m, s.exp(), 1).log_prob(x), (loc, log_scale)
    )


def test_standard_normal():
    z = torch.randn(6, 3)
    expected = -0.5 * (z.square().sum(-1) + 3 * math.log(2 * math.pi))
    torch.testing.assert_close(standard_normal((3,), like=z).log_prob(z), expected)


def test_float32_linear_ignores_autocast():
    torch.manual_seed(0)
    layer, x = Float32Linear(3, 2), torch.randn(4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x)
        assert torch.nn.functional.linear(x, layer.weight).dtype == torch.bfloat16
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, layer(x))

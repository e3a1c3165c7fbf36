import math

import pytest
import torch
from torch.distributions import kl_divergence
from torch.nn.functional import normalize

from autoencode.maths import PowerSpherical, SphereUniform

DOUBLE = torch.float64


def spherical(d, kappa, dtype=DOUBLE):
    torch.manual_seed(d)
    kappa = torch.as_tensor(kappa, dtype=dtype)
    return PowerSpherical(normalize(torch.randn(*kappa.shape, d, dtype=dtype), dim=-1), kappa)


def uniform(d, dtype=DOUBLE):
    return SphereUniform(d, like=torch.zeros((), dtype=dtype))


def circle(count):
    angle = torch.arange(count, dtype=DOUBLE) * 2 * math.pi / count
    return torch.stack([angle.cos(), angle.sin()], -1)


@pytest.mark.parametrize("kappa", [0.0, 0.7, 20.0, 500.0])
def test_density_on_the_circle_integrates_to_one(kappa):
    density = spherical(2, kappa).log_prob(circle(20_000)).exp()
    assert (density.mean() * 2 * math.pi).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("d", [3, 5, 10])
def test_density_on_spheres_integrates_to_one(d):
    """By importance sampling from the uniform distribution."""
    q, p = spherical(d, 2.0), uniform(d)
    z = p.rsample((100_000,))
    weights = (q.log_prob(z) - p.log_prob(z)).exp()
    assert weights.mean().item() == pytest.approx(1, abs=4 * weights.std().item() / 316)


def test_areas_are_those_of_circle_and_sphere():
    assert -uniform(2).log_prob(circle(1)).item() == pytest.approx(math.log(2 * math.pi))
    assert uniform(3).entropy().item() == pytest.approx(math.log(4 * math.pi))


@pytest.mark.parametrize("d", [2, 3, 10, 50])
@pytest.mark.parametrize("kappa", [0.3, 5.0, 300.0])
def test_draws_lie_on_the_sphere_and_have_mean_and_entropy(d, kappa):
    q = spherical(d, kappa)
    z = q.rsample((20_000,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(20_000, dtype=DOUBLE))
    torch.testing.assert_close(z.mean(0), q.mean, atol=0.03, rtol=0)
    nats = -q.log_prob(z)
    error = 4 * nats.std().item() / math.sqrt(20_000)
    assert q.entropy().item() == pytest.approx(nats.mean().item(), abs=error + 1e-6)


@pytest.mark.parametrize("d", [2, 3, 10])
def test_kl_to_the_uniform_is_a_monte_carlo_mean(d):
    q, p = spherical(d, [0.1, 8.0, 200.0]), uniform(d)
    z = q.rsample((40_000,))
    nats = q.log_prob(z) - p.log_prob(z)
    closed = kl_divergence(q, p)
    assert closed.shape == (3,)
    assert (closed > 0).all()
    error = 4 * nats.std(0) / math.sqrt(40_000) + 1e-9
    assert ((closed - nats.mean(0)).abs() < error).all()
    none = PowerSpherical(q.direction, torch.zeros(3, dtype=DOUBLE))
    torch.testing.assert_close(kl_divergence(none, p), torch.zeros(3, dtype=DOUBLE))


@pytest.mark.parametrize("d", [2, 3, 10])
def test_gradients_of_draws_are_those_of_finite_differences(d):
    """∂/∂κ of E aᵀz, whose value κ aᵀμ / (κ + d − 1) is known, and ∂/∂μ of the same."""
    kappa = torch.full((60_000,), 6.0, dtype=DOUBLE, requires_grad=True)
    mu = normalize(torch.arange(1.0, d + 1, dtype=DOUBLE), dim=0).requires_grad_()
    torch.manual_seed(0)
    z = PowerSpherical(mu.expand(60_000, d), kappa).rsample()
    (slope,) = torch.autograd.grad((z @ mu.detach()).sum(), kappa, retain_graph=True)
    assert slope.mean().item() == pytest.approx((d - 1) / (6 + d - 1) ** 2, rel=0.05)
    across = torch.linalg.qr(torch.stack([mu.detach(), torch.ones(d, dtype=DOUBLE)], 1))[0][:, 1]
    (turn,) = torch.autograd.grad((z @ across).mean(), mu)
    # Along the sphere: μ moves by ε across, and the mean of z by ε κ / (κ + d − 1).
    assert (turn @ across).item() == pytest.approx(6 / (6 + d - 1), rel=0.05)


def test_log_prob_and_entropy_gradients():
    torch.manual_seed(0)
    z = normalize(torch.randn(4, 3, dtype=DOUBLE), dim=-1)
    mu = normalize(torch.randn(4, 3, dtype=DOUBLE), dim=-1).requires_grad_()
    kappa = torch.tensor([0.5, 2.0, 9.0, 80.0], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, k: PowerSpherical(m, k).log_prob(z), (mu, kappa))
    assert torch.autograd.gradcheck(lambda k: PowerSpherical(mu, k).entropy(), (kappa,))


@pytest.mark.parametrize("d", [2, 10, 64])
def test_float32_is_good_to_a_hundredth_of_a_nat(d):
    wide = spherical(d, [1e-3, 1.0, 100.0, 1e4])
    narrow = PowerSpherical(wide.direction.float(), wide.concentration.float())
    torch.testing.assert_close(narrow.entropy().double(), wide.entropy(), atol=1e-2, rtol=0)
    z = narrow.rsample((1000,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(1000, 4))
    found, expected = narrow.log_prob(z).double(), wide.log_prob(z.double())
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=1e-3)


def test_opposite_the_direction_the_density_is_small_and_finite():
    q = spherical(3, [5.0], torch.float32)
    assert torch.isfinite(q.log_prob(-q.direction)).all()
    assert (q.log_prob(-q.direction) < -50).all()

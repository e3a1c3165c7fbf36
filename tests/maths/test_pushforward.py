import pytest
import torch
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from autoencode.maths import Composed, Planar, Pushforward, Tanh

DOUBLE = torch.float64


def normal(mean, scale):
    return Independent(Normal(torch.tensor(mean, dtype=DOUBLE), torch.tensor(scale)), 1)


def planes(steps, batch=(), d=2, size=1.5):
    shape = (*batch, d)
    return Composed(
        [
            Planar(*(size * torch.randn(shape, dtype=DOUBLE) for _ in "uw"), torch.randn(batch))
            for _ in range(steps)
        ]
    )


def grid(half, count):
    """Points [count², 2] of a square, and the area of each."""
    side = torch.linspace(-half, half, count, dtype=DOUBLE)
    return torch.cartesian_prod(side, side), (2 * half / (count - 1)) ** 2


def test_tanh_of_a_normal_is_torchs():
    torch.manual_seed(0)
    base = normal([0.3, -0.7], [0.5, 0.9])
    ours = Pushforward(base, Tanh())
    theirs = TransformedDistribution(base, [TanhTransform()])
    z = torch.rand(20, 2, dtype=DOUBLE) * 1.9 - 0.95
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z))


@pytest.mark.long
def test_density_in_the_box_integrates_to_one():
    z, area = grid(1.0, 1601)
    density = Pushforward(normal([0.3, -0.7], [0.5, 0.9]), Tanh()).log_prob(z).exp()
    assert (density.sum() * area).item() == pytest.approx(1, abs=1e-3)


def test_density_stays_exact_on_the_walls():
    """In float32 tanh 12 is 1, and the density of the draw still knows of the 12."""
    narrow = Independent(Normal(torch.full((3, 1), 12.0), torch.full((3, 1), 0.1)), 1)
    q = Pushforward(narrow, Tanh())
    z = q.rsample()
    assert (z == 1).all()
    wide = Pushforward(normal([12.0], [0.1]), Tanh())
    e = narrow.base_dist.loc.double()
    expected = Normal(12.0, 0.1).log_prob(e) - torch.log1p(-e.tanh().square())
    assert torch.isfinite(q.log_prob(z)).all()
    torch.testing.assert_close(q.log_prob(z).double(), expected[:, 0], atol=6, rtol=0)
    assert torch.isfinite(wide.log_prob(torch.ones(1, 1, dtype=DOUBLE))).all()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.long
def test_planar_density_integrates_to_one(seed):
    torch.manual_seed(seed)
    z, area = grid(14.0, 401)
    q = Pushforward(normal([0.3, -0.5], [0.8, 1.1]), planes(3, size=0.8))
    assert (q.log_prob(z).exp().sum() * area).item() == pytest.approx(1, abs=2e-3)


def test_planar_inverse_undoes_it_where_it_squeezes_and_where_it_stretches():
    torch.manual_seed(0)
    w = torch.randn(200, 3, dtype=DOUBLE)
    u = torch.linspace(-12, 12, 200, dtype=DOUBLE)[:, None] * w
    flow = Planar(u, w, torch.randn(200, dtype=DOUBLE))
    e = torch.randn(5, 200, 3, dtype=DOUBLE)
    z, _ = flow.forward(e)
    torch.testing.assert_close(flow.inverse(z), e, atol=1e-8, rtol=1e-6)
    assert (flow.stretch > -1).all()


@pytest.mark.parametrize("flow", ["tanh", "planar"])
def test_log_determinant_is_that_of_the_jacobian(flow):
    torch.manual_seed(0)
    f = Tanh() if flow == "tanh" else planes(3, d=3)
    for e in torch.randn(5, 3, dtype=DOUBLE):
        jacobian = torch.autograd.functional.jacobian(lambda v: f.forward(v)[0], e)
        torch.testing.assert_close(f.forward(e)[1], torch.linalg.slogdet(jacobian)[1])


def test_planar_is_the_identity_without_u():
    torch.manual_seed(0)
    e, w = torch.randn(2, 7, 3, dtype=DOUBLE)
    z, ladj = Planar(torch.zeros_like(w), w, torch.zeros(7, dtype=DOUBLE)).forward(e)
    torch.testing.assert_close(z, e)
    torch.testing.assert_close(ladj, torch.zeros(7, dtype=DOUBLE))


def test_remembered_draws_and_inverted_ones_have_one_density():
    torch.manual_seed(0)
    base = Independent(Normal(torch.zeros(4, 2, dtype=DOUBLE), 1.0), 1)
    for flow in (planes(3, batch=(4,)), Tanh()):
        q = Pushforward(base, flow)
        z = q.rsample((6,))
        torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()))
        assert q.log_prob(z).shape == (6, 4)
        assert q.expand((3, 4)).log_prob(z[:3]).shape == (3, 4)


def test_samples_without_gradient_are_scored_with_one():
    mean = torch.zeros(2, requires_grad=True)
    q = Pushforward(Independent(Normal(mean, 1.0), 1), Tanh())
    z = q.sample((5,))
    assert not z.requires_grad
    (score,) = torch.autograd.grad(q.log_prob(z).sum(), mean)
    torch.testing.assert_close(score, z.atanh().sum(0), atol=1e-4, rtol=1e-4)


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    u, w, mean = (torch.randn(3, 2, dtype=DOUBLE, requires_grad=True) for _ in range(3))
    b = torch.randn(3, dtype=DOUBLE, requires_grad=True)
    e = torch.randn(3, 2, dtype=DOUBLE)
    z = torch.randn(3, 2, dtype=DOUBLE, requires_grad=True)

    def density(u, w, b, mean, z):
        return Pushforward(Independent(Normal(mean, 1.0), 1), Planar(u, w, b)).log_prob(z)

    assert torch.autograd.gradcheck(density, (u, w, b, mean, z))
    assert torch.autograd.gradcheck(lambda u, w, b: Planar(u, w, b).forward(e), (u, w, b))


def test_draws_have_the_density():
    """The mean of a function over draws is its integral against the density."""
    torch.manual_seed(1)
    q = Pushforward(normal([0.3, -0.5], [0.8, 1.1]), planes(2, size=0.8))
    z, area = grid(14.0, 301)
    integral = (q.log_prob(z).exp()[:, None] * z.cos()).sum(0) * area
    torch.testing.assert_close(q.sample((40_000,)).cos().mean(0), integral, atol=0.015, rtol=0)

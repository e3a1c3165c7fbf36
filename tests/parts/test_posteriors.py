import math

import pytest
import torch
from torch.distributions import Independent, Normal, Uniform, kl_divergence

from autoencode.contract import ForwardPass, Sizes, Space
from autoencode.errors import RecipeError
from autoencode.maths import BoxUniform, PowerSpherical, standard_normal
from autoencode.parts.bottlenecks import BOTTLENECKS
from autoencode.parts.bottlenecks.bounded import Squashed
from autoencode.parts.priors import PRIORS
from autoencode.parts.terms.elbo import KL

DOUBLE = torch.float64
POSTERIORS = ["bounded", "sphere", "planar", "inverse-autoregressive"]


# Enough to have all that the whole has.
SMALL = {
    "bounded": {},
    "sphere": {},
    "planar": {"steps": 3},
    "inverse-autoregressive": {"steps": 2, "hidden": 8},
}


def made(name, d=2, **args):
    torch.manual_seed(0)
    return BOTTLENECKS[name](Sizes((8, 8), (d,), n=1000), **args).double()


def features(bottleneck, batch=3, size=1.0):
    torch.manual_seed(1)
    width = bottleneck.features * bottleneck.sizes.latent
    return size * torch.randn(batch, width, dtype=DOUBLE)


def rate_of(code, pz):
    x = torch.zeros(len(code.z), 1)
    return KL(Sizes((1,), (2,)))(ForwardPass(x, x, None, code, standard_normal((1,), x), pz, None))


def square(half, count):
    """The middles of the cells of a square, of which none lies on its walls, and their area."""
    side = (torch.arange(count, dtype=DOUBLE) + 0.5) * 2 * half / count - half
    return torch.cartesian_prod(side, side), (2 * half / count) ** 2


def prior_for(name):
    kind = {Space.BOX: "uniform", Space.SPHERE: "sphere-uniform", Space.REAL: "normal"}
    prior = PRIORS[kind[BOTTLENECKS[name].space]](Sizes((8, 8), (2,))).double()
    return prior(None, None)


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_shapes(name, d):
    if (name, d) == ("sphere", 1):
        return
    bottleneck = made(name, d)
    h = features(bottleneck)
    code = bottleneck(h)
    assert code.z.shape == (3, d)
    assert code.q.batch_shape == (3,)
    assert code.q.event_shape == (d,)
    torch.testing.assert_close(bottleneck(h).z, code.z, rtol=0, atol=0)
    drawn = bottleneck(h, samples=4)
    assert drawn.z.shape == (4, 3, d)
    assert drawn.q.log_prob(drawn.z).shape == (4, 3)
    # The density of the draw is the same when the draw is not remembered.
    forgotten = drawn.q.log_prob(drawn.z.clone())
    torch.testing.assert_close(drawn.q.log_prob(drawn.z), forgotten, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["bounded", "planar", "inverse-autoregressive"])
def test_densities_integrate_to_one(name):
    bottleneck = made(name, **SMALL[name])
    q = bottleneck(features(bottleneck, batch=2, size=0.6)).q
    z, area = square(1.0 if name == "bounded" else 8.0, 200)
    with torch.no_grad():
        mass = q.log_prob(z[:, None].expand(-1, 2, 2)).exp().sum(0) * area
    torch.testing.assert_close(mass, torch.ones(2, dtype=DOUBLE), atol=4e-3, rtol=0)


@pytest.mark.parametrize("name", ["bounded", "planar", "inverse-autoregressive"])
def test_draws_are_differentiable_in_the_features(name):
    bottleneck = made(name, **SMALL[name])
    h = features(bottleneck).requires_grad_()

    def drawn(h):
        torch.manual_seed(5)
        code = bottleneck(h, samples=2)
        return code.z, code.q.log_prob(code.z)

    assert torch.autograd.gradcheck(drawn, h)
    assert torch.autograd.gradcheck(lambda h: bottleneck(h).z, h)


@pytest.mark.parametrize("name", POSTERIORS)
def test_rate_is_the_kl_on_a_grid(name):
    bottleneck = made(name, **SMALL[name])
    h = features(bottleneck, batch=1, size=0.6)
    pz = prior_for(name)
    torch.manual_seed(2)
    estimate = rate_of(bottleneck(h, samples=20_000), pz).mean()
    if name == "sphere":
        angle = torch.arange(4000, dtype=DOUBLE) * 2 * math.pi / 4000
        z, area = torch.stack([angle.cos(), angle.sin()], -1), 2 * math.pi / 4000
    else:
        z, area = square(1.0 if name == "bounded" else 8.0, 300)
    with torch.no_grad():
        log_q = bottleneck(h).q.log_prob(z[:, None])[:, 0]
        kl = (log_q.exp() * (log_q - pz.log_prob(z))).sum() * area
    assert estimate.item() == pytest.approx(kl.item(), abs=0.03)


def test_rate_on_the_sphere_is_closed_and_elsewhere_drawn():
    sphere, box = made("sphere"), made("bounded")
    assert rate_of(sphere(features(sphere), samples=4), prior_for("sphere")).shape == (3,)
    assert rate_of(box(features(box), samples=4), prior_for("bounded")).shape == (4, 3)
    q = sphere(features(sphere)).q
    torch.testing.assert_close(
        kl_divergence(q, prior_for("sphere")), math.log(2 * math.pi) - q.entropy()
    )


@pytest.mark.parametrize("name", POSTERIORS)
@pytest.mark.parametrize("size", [0.0, 30.0, 1e4])
def test_rates_and_gradients_stay_finite_however_large_the_features(name, size):
    if (name, size) in [("sphere", 0.0)]:
        return  # the zero vector has no direction
    args = {"steps": 4} if name in ("planar", "inverse-autoregressive") else {}
    bottleneck = made(name, **args).float()
    h = features(bottleneck, batch=50, size=size).float().requires_grad_()
    code = bottleneck(h, samples=1)
    pz = PRIORS[{"bounded": "uniform", "sphere": "sphere-uniform"}.get(name, "normal")](
        Sizes((8, 8), (2,))
    )(None, None)
    rate = rate_of(code, pz)
    assert torch.isfinite(rate).all()
    (gradient,) = torch.autograd.grad(rate.sum() + code.z.sum(), h)
    assert torch.isfinite(gradient).all()


def test_bounded_code_is_the_tanh_of_the_mean_and_the_median_of_draws():
    bottleneck = made("bounded")
    h = features(bottleneck)
    code = bottleneck(h)
    torch.testing.assert_close(code.z, h[:, :2].tanh())
    drawn = bottleneck(h, samples=20_000).z
    assert drawn.abs().max() <= 1
    torch.testing.assert_close(drawn.median(0).values, code.z, atol=0.03, rtol=0)


def test_bounded_has_a_finite_rate_where_a_normal_has_none():
    q = Independent(Normal(torch.zeros(1, 2), 1.0), 1)
    torchs = Independent(Uniform(-torch.ones(2), torch.ones(2)), 1)
    assert torch.isinf(kl_divergence(q, torchs)).all()
    bottleneck = made("bounded").float()
    code = bottleneck(torch.tensor([[9.0, -9.0, 4.0, 4.0]]), samples=500)
    assert (code.z.abs() == 1).any()
    assert torch.isfinite(rate_of(code, BoxUniform((2,), torch.zeros(())))).all()


def test_squashed_points_lie_in_the_box():
    h = torch.randn(3, 2)
    bottleneck = Squashed(Sizes((8, 8), (2,)))
    assert bottleneck.space is Space.BOX
    assert bottleneck(h).q is None
    torch.testing.assert_close(bottleneck(h).z, h.tanh())
    assert bottleneck(h, samples=4).z.shape == (4, 3, 2)


def test_sphere_code_is_its_direction_and_the_features_set_its_density():
    bottleneck = made("sphere", 3)
    h = torch.tensor([[3.0, 0.0, 4.0, 1.0, 1.0, 1.0]], dtype=DOUBLE)
    code = bottleneck(h)
    assert isinstance(code.q, PowerSpherical)
    torch.testing.assert_close(code.z, torch.tensor([[0.6, 0.0, 0.8]], dtype=DOUBLE))
    assert code.q.concentration.item() == pytest.approx(3 * math.e)
    with pytest.raises(RecipeError, match="latent=2"):
        made("sphere", 1)


@pytest.mark.parametrize("name", ["planar", "inverse-autoregressive"])
def test_flow_code_is_where_the_flow_takes_the_mean(name):
    """With next to no noise every draw is the code."""
    bottleneck = made(name)
    h = features(bottleneck)
    h[:, 2:4] = -30
    torch.testing.assert_close(bottleneck(h, samples=1).z[0], bottleneck(h).z, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("d", [2, 3, 6])
@pytest.mark.parametrize("hidden", [4, 32])
def test_each_autoregressive_step_has_a_triangular_jacobian(d, hidden):
    bottleneck = made("inverse-autoregressive", d, steps=2, hidden=hidden)
    q = bottleneck(features(bottleneck, batch=1)).q
    for step, upper in zip(q.bijection.steps, (False, True), strict=True):
        e = torch.randn(1, d, dtype=DOUBLE)
        jacobian = torch.autograd.functional.jacobian(lambda v, f=step: f.forward(v)[0], e)
        square = jacobian[0, :, 0]
        kept = square.triu() if upper else square.tril()
        torch.testing.assert_close(square, kept)
        assert (square - square.diag().diag()).abs().sum() > 0
        torch.testing.assert_close(step.forward(e)[1][0], torch.linalg.slogdet(square)[1])


def test_autocast_leaves_the_flow_in_float32():
    bottleneck = made("inverse-autoregressive").float()
    h = features(bottleneck).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = bottleneck(h).z
    torch.testing.assert_close(z, bottleneck(h).z, atol=1e-6, rtol=1e-6)

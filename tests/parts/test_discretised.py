"""Likelihoods of 8-bit images against SciPy, sums over all levels, finite differences and draws."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import (
    Categorical,
    Independent,
    Laplace,
    MixtureSameFamily,
    Normal,
)

from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.maths import (
    BernoulliImages,
    DiscretisedLogistic,
    DiscretisedLogisticMixture,
    SharedScaleNormal,
    level_log_prob,
)
from autoencode.parts import LIKELIHOODS

LEVELS = torch.arange(256, dtype=torch.float64) / 255
LOCS = (-0.4, 0.0, 0.3127, 0.5, 1.0, 1.7)
LOG_SCALES = (-8.0, -6.0, -4.0, -1.5, 0.0, 5.0)
CASES = [(loc, log_scale) for loc in LOCS for log_scale in LOG_SCALES]


def one(loc, log_scale, dtype=torch.float64):
    """A distribution of one value, event [1]."""
    numbers = (torch.tensor([each], dtype=dtype) for each in (loc, log_scale))
    return DiscretisedLogistic(*numbers, 1)


def mixture(shape, k=3, dtype=torch.float64, seed=0):
    """A mixture for examples of a shape, batch [2]."""
    draw = torch.Generator().manual_seed(seed)
    weights = (1, *shape[1:]) if len(shape) == 3 else shape
    logits = torch.randn(2, k, *weights, generator=draw, dtype=dtype)
    loc = torch.rand(2, k, *shape, generator=draw, dtype=dtype) * 1.4 - 0.2
    log_scale = torch.rand(2, k, *shape, generator=draw, dtype=dtype) * 4 - 6
    return DiscretisedLogisticMixture(logits.log_softmax(1), loc, log_scale, len(shape))


def components(p):
    """The components of a mixture, each a distribution with the same event."""
    pairs = zip(p.loc.unbind(1), p.log_scale.unbind(1), strict=True)
    return [DiscretisedLogistic(*pair, len(p.event_shape)) for pair in pairs]


def scipy_levels(distribution):
    """The probability of each level, from SciPy's cdf and survival function."""
    edges = (np.arange(255) + 0.5) / 255
    below = np.concatenate([[0], distribution.cdf(edges), [1]])
    above = np.concatenate([[1], distribution.sf(edges), [0]])
    # The difference on the side without cancellation.
    return np.where(below[1:] < 0.5, np.diff(below), -np.diff(above))


@pytest.mark.parametrize(("loc", "log_scale"), CASES)
def test_levels_sum_to_one_and_are_those_of_scipy(loc, log_scale):
    p = one(loc, log_scale).log_prob(LEVELS[:, None]).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    expected = scipy_levels(stats.logistic(loc, np.exp(log_scale)))
    np.testing.assert_allclose(p, expected, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize(("loc", "log_scale"), CASES)
def test_float32_has_the_digits_of_float64(loc, log_scale):
    exact = one(loc, log_scale).log_prob(LEVELS[:, None])
    found = one(loc, log_scale, torch.float32).log_prob(LEVELS[:, None].float())
    assert found.isfinite().all()
    torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("x", [0.0, 1 / 255, 80 / 255, 254 / 255, 1.0])
def test_gradients_against_finite_differences(x):
    numbers = torch.tensor([(loc, s) for loc, s in CASES if s < 5], dtype=torch.float64)
    loc, log_scale = (each.clone().requires_grad_() for each in numbers.T)

    def nats(loc, log_scale):
        return DiscretisedLogistic(loc[:, None], log_scale[:, None], 1).log_prob(
            torch.tensor([x], dtype=torch.float64)
        )

    assert torch.autograd.gradcheck(nats, (loc, log_scale), eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 2), (3, 2, 2), (5, 1, 2)])
def test_gradients_of_a_mixture(shape):
    p = mixture(shape)
    x = (torch.rand(2, *shape, generator=torch.Generator().manual_seed(1)) * 255).round() / 255
    given = [each.clone().requires_grad_() for each in (p.log_weights, p.loc, p.log_scale)]

    def nats(logits, loc, log_scale):
        weights = logits.log_softmax(1)
        return DiscretisedLogisticMixture(weights, loc, log_scale, len(shape)).log_prob(x.double())

    assert torch.autograd.gradcheck(nats, given, eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("loc", "log_scale"), CASES)
def test_mean_is_that_of_the_levels(loc, log_scale):
    p = one(loc, log_scale)
    expected = (p.log_prob(LEVELS[:, None]).exp() * LEVELS).sum().item()
    wide = log_scale >= np.log(1 / 255)
    assert p.mean.item() == pytest.approx(expected, abs=(0.02 if wide else 0.5) / 255)


@pytest.mark.parametrize(("loc", "log_scale"), [c for c in CASES if -8 < c[1] < 5])
def test_draws_have_the_mean_and_the_frequencies(loc, log_scale):
    p = one(loc, log_scale)
    torch.manual_seed(0)
    draws = p.sample((20_000,))[:, 0]
    probabilities = p.log_prob(LEVELS[:, None]).exp()
    assert torch.equal((draws * 255).round() / 255, draws)
    counts = torch.bincount((draws * 255).round().long(), minlength=256) / 20_000
    error = (probabilities * (1 - probabilities) / 20_000).sqrt()
    assert ((counts - probabilities).abs() < 5 * error + 2e-4).all()
    assert draws.mean().item() == pytest.approx(p.mean.item(), abs=0.02)


def test_a_mixture_of_one_is_the_distribution_itself():
    p = mixture((3, 4, 5), k=1, dtype=torch.float32)
    single = DiscretisedLogistic(p.loc[:, 0], p.log_scale[:, 0], 3)
    x = (torch.rand(2, 3, 4, 5) * 255).round() / 255
    torch.testing.assert_close(p.log_prob(x), single.log_prob(x))
    torch.testing.assert_close(p.mean, single.mean)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_channels_of_a_pixel_share_its_component(channels):
    p = mixture((channels, 1, 1))
    grid = torch.cartesian_prod(*[LEVELS] * channels).reshape(-1, 1, channels, 1, 1)
    nats = p.log_prob(grid.expand(-1, 2, -1, -1, -1))
    torch.testing.assert_close(nats.exp().sum(0), torch.ones(2, dtype=torch.float64))
    # By hand, the sum over components of products over channels.
    x = torch.tensor([7, 203][:channels], dtype=torch.float64).reshape(channels, 1, 1) / 255
    by_hand = sum(
        p.log_weights[:, k, 0, 0, 0].exp()
        * DiscretisedLogistic(p.loc[:, k], p.log_scale[:, k], 3).log_prob(x).exp()
        for k in range(3)
    )
    torch.testing.assert_close(p.log_prob(x), by_hand.log())


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 2, 2)])
def test_draws_of_a_mixture(shape):
    p = mixture(shape)
    torch.manual_seed(0)
    draws = p.sample((4_000,))
    assert draws.shape == (4_000, 2, *shape)
    torch.testing.assert_close(draws.mean(0), p.mean, atol=0.03, rtol=0)
    if len(shape) == 3:  # channels of a pixel share the component, and are not independent
        means = torch.stack([one.mean for one in components(p)], 1)
        product = (p.log_weights[:, :, 0].exp() * means[:, :, 0] * means[:, :, 1]).sum(1)
        found = (draws[:, :, 0] * draws[:, :, 1]).mean(0)
        torch.testing.assert_close(found, product, atol=0.03, rtol=0)
        assert (product - p.mean[:, 0] * p.mean[:, 1]).abs().max() > 0.06


@pytest.mark.parametrize("kind", ["discretised-logistic", "discretised-logistic-mixture"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("size", [0.0, 1.0, 300.0])
def test_likelihoods_are_finite_for_any_output_of_the_network(kind, dtype, size):
    shape = (3, 4, 4)
    likelihood = LIKELIHOODS[kind](Sizes(shape, (2,)))
    draw = torch.Generator().manual_seed(0)
    theta = size * torch.randn(5, likelihood.channels, *shape, generator=draw)
    theta = theta.to(dtype).requires_grad_()
    x = (torch.rand(5, *shape, generator=draw) * 255).round() / 255
    x[0], x[1] = 0, 1
    px = likelihood(theta)
    nats = px.log_prob(x)
    assert nats.dtype == torch.float32
    assert (nats.isfinite() & (nats <= 0)).all()
    assert ((px.mean >= 0) & (px.mean <= 1)).all()
    (nats.sum() + px.mean.sum()).backward()
    assert theta.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["discretised-logistic", "discretised-logistic-mixture"])
def test_the_scale_starts_at_the_data_or_as_given(kind):
    x = torch.rand(50, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2
    likelihood = LIKELIHOODS[kind](Sizes((8, 8), (2,)))
    likelihood.initialise(x)
    # The standard deviation of a logistic distribution is s π / √3.
    deviation = likelihood.log_scale.exp().item() * np.pi / np.sqrt(3)
    assert deviation == pytest.approx((x - x.mean(0)).square().mean().sqrt().item() / 4, rel=1e-4)
    given = LIKELIHOODS[kind](Sizes((8, 8), (2,)), scale=0.3)
    given.initialise(x)
    assert given.log_scale.exp().item() == pytest.approx(0.3)


def test_tables_are_refused():
    for kind in ("discretised-logistic", "discretised-logistic-mixture"):
        with pytest.raises(RecipeError, match="likelihood=table"):
            LIKELIHOODS[kind](Sizes((5,), (2,), bounded=False))


@pytest.mark.parametrize("by", ["pixel", "image"])
def test_a_gaussian_with_scales_of_the_network(by):
    torch.manual_seed(0)
    likelihood = LIKELIHOODS["gaussian-heteroscedastic"](Sizes((3, 4), (2,)), scale=by)
    likelihood.initialise(torch.rand(20, 3, 4))
    theta = torch.randn(6, 5, 2, 3, 4)
    px = likelihood(theta)
    assert (px.batch_shape, px.event_shape) == ((6, 5), (3, 4))
    inside = theta[:, :, 1] if by == "pixel" else theta[:, :, 1].mean((-2, -1), keepdim=True)
    scale = likelihood.log_scale.exp() * inside.exp()
    x = torch.rand(5, 3, 4)
    by_hand = stats.norm(theta[:, :, 0].sigmoid(), scale.detach()).logpdf(x).sum((-2, -1))
    np.testing.assert_allclose(px.log_prob(x).detach(), by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loc", LOCS)
@pytest.mark.parametrize("scale", [0.0025, 0.02, 0.3, 20.0])
@pytest.mark.parametrize("kind", [Normal, Laplace])
def test_levels_of_a_density_against_scipy(kind, loc, scale):
    base = kind(torch.tensor([[loc]], dtype=torch.float64), torch.tensor(scale).double())
    nats = level_log_prob(Independent(base, 1), LEVELS[:, None])
    assert nats.exp().sum().item() == pytest.approx(1, abs=1e-9)
    each = (stats.norm if kind is Normal else stats.laplace)(loc, torch.tensor(scale).item())
    np.testing.assert_allclose(nats.exp(), scipy_levels(each), rtol=1e-5, atol=1e-14)
    single = Independent(kind(base.loc.float(), base.scale.float()), 1)
    found = level_log_prob(single, LEVELS[:, None].float())
    torch.testing.assert_close(found.double(), nats, rtol=1e-3, atol=1e-3)


def test_levels_of_other_distributions():
    x = (torch.rand(4, 3, 3, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
    loc = torch.rand(4, 3, 3)
    shared = level_log_prob(SharedScaleNormal(loc, torch.tensor(0.1), 2), x)
    each = level_log_prob(Independent(Normal(loc, 0.1), 2), x)
    torch.testing.assert_close(shared, each)
    discrete = DiscretisedLogistic(loc, loc - 4, 2)
    assert torch.equal(level_log_prob(discrete, x), discrete.log_prob(x))
    assert level_log_prob(BernoulliImages(loc, 2), x) is None
    # A mixture over labels.
    several = Independent(Normal(torch.rand(4, 2, 3, 3), 0.1), 2)
    weights = torch.tensor([0.3, 0.7])
    mixed = MixtureSameFamily(Categorical(weights.expand(4, 2)), several, validate_args=False)
    by_hand = sum(
        w * level_log_prob(Independent(Normal(several.base_dist.loc[:, k], 0.1), 2), x).exp()
        for k, w in enumerate(weights)
    )
    torch.testing.assert_close(level_log_prob(mixed, x).exp(), by_hand)

from dataclasses import replace

import pytest
import torch
from torch.distributions import Independent, Normal

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.maths import standard_normal
from autoencode.parts.priors.learned import NormalMixture
from autoencode.parts.terms.elbo import KL, ClusterKL

SIZES = Sizes((8, 8), (2,), n=1000)
DRAWS = 40_000


@pytest.fixture
def clusters():
    torch.manual_seed(0)
    prior = NormalMixture(SIZES, components=4, spread=2.0)
    for parameter in prior.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return prior.double()


def passed(prior, q, z):
    x = torch.zeros(3, 8, 8)
    pz = prior(None, None)
    return ForwardPass(x, x, None, Code(z, q), standard_normal((8, 8), x), pz, None)


def posterior(scale=0.6):
    torch.manual_seed(1)
    mean = 1.5 * torch.randn(3, 2, dtype=torch.float64)
    return Independent(Normal(mean, torch.full_like(mean, scale)), 1)


def test_equals_its_monte_carlo_estimate(clusters):
    """E over z ~ q(z|x) and k ~ γ of ln q(z) + ln γ(k) − ln p(z, k), with γ that of one draw."""
    q = posterior()
    z = q.rsample()
    found = ClusterKL(SIZES)(passed(clusters, q, z))
    log_share = clusters.responsibilities(z)
    draws = q.rsample((DRAWS,))
    weights = clusters.log_weights.log_softmax(0)
    k = torch.distributions.Categorical(logits=log_share).sample((DRAWS,))
    cluster = Normal(clusters.means[k], clusters.log_scales.exp()[k])
    joint = weights[k] + cluster.log_prob(draws).sum(-1)
    gamma = log_share.expand(DRAWS, 3, 4).gather(-1, k[..., None])[..., 0]
    nats = q.log_prob(draws) + gamma - joint
    assert ((found - nats.mean(0)).abs() < 4 * nats.std(0) / DRAWS**0.5).all()


def test_exceeds_the_rate_by_how_much_the_responsibilities_vary(clusters):
    q = posterior()
    z, draws = q.rsample(), q.rsample((DRAWS,))
    found = ClusterKL(SIZES)(passed(clusters, q, z))
    rate = KL(SIZES)(passed(clusters, q, draws))
    log_share, others = clusters.responsibilities(z), clusters.responsibilities(draws)
    gap = (log_share.exp() * (log_share - others)).sum(-1)
    error = 4 * (rate.std(0) + gap.std(0)) / DRAWS**0.5
    assert (gap.mean(0) > 0).all()
    assert ((found - rate.mean(0) - gap.mean(0)).abs() < error).all()


def test_is_the_rate_where_each_posterior_lies_in_one_cluster(clusters):
    clusters.means.data *= 20
    q = Independent(Normal(clusters.means[:3].detach(), 0.01), 1)
    found = ClusterKL(SIZES)(passed(clusters, q, q.rsample()))
    rate = KL(SIZES)(passed(clusters, q, q.rsample((DRAWS,)))).mean(0)
    torch.testing.assert_close(found, rate, atol=0.05, rtol=0)


def test_samples_and_gradients(clusters):
    mean = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    noise = torch.randn(5, 3, 2, dtype=torch.float64)

    def rate(mean, means, log_scales, log_weights):
        clusters.means.data, clusters.log_scales.data = means.data, log_scales.data
        q = Independent(Normal(mean, torch.full_like(mean, 0.5)), 1)
        return ClusterKL(SIZES)(passed(clusters, q, mean + 0.5 * noise))

    found = rate(mean, clusters.means, clusters.log_scales, clusters.log_weights)
    assert found.shape == (5, 3)
    found.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in clusters.parameters())
    still = clusters.means.data, clusters.log_scales.data, clusters.log_weights.data
    assert torch.autograd.gradcheck(lambda m: rate(m, *still), mean)


def test_conditional_mixture():
    prior = NormalMixture(Sizes((8, 8), (2,), context=3), components=4).double()
    prior.by_context.data = torch.randn(3, 4, dtype=torch.float64)
    q = posterior()
    p = passed(prior, q, q.rsample())

    def rate(context):
        return ClusterKL(SIZES)(replace(p, pz=prior(context, None)))

    each = [rate(torch.eye(3)[[k] * 3])[k] for k in range(3)]
    torch.testing.assert_close(rate(torch.eye(3)), torch.stack(each))
    assert not torch.allclose(rate(torch.eye(3)), rate(None))


def test_needs_clusters():
    q = posterior()
    x = torch.zeros(3, 8, 8)
    normal = standard_normal((2,), q.mean)
    with pytest.raises(RecipeError, match=r'prior "mixture"'):
        ClusterKL(SIZES)(ForwardPass(x, x, None, Code(q.mean, q), normal, normal, None))

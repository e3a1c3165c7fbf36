import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, Uniform

from autoencode.maths import BoxUniform, MixtureDistribution


def box(*shape):
    return BoxUniform(shape, like=torch.zeros(()))


def test_box_is_torchs_uniform_inside_and_has_its_walls():
    theirs = Independent(Uniform(-torch.ones(2, 3), torch.ones(2, 3)), 2)
    z = torch.rand(5, 2, 3) * 1.98 - 0.99
    torch.testing.assert_close(box(2, 3).log_prob(z), theirs.log_prob(z))
    torch.testing.assert_close(box(2, 3).entropy(), theirs.entropy())
    torch.testing.assert_close(box(2, 3).mean, theirs.mean)
    torch.testing.assert_close(box(2, 3).variance, theirs.variance)
    assert box(1).log_prob(torch.ones(1)).item() == pytest.approx(-math.log(2))
    assert box(2).log_prob(torch.tensor([0.0, 1.01])) == -math.inf
    assert box(2).expand((4,)).sample((3,)).shape == (3, 4, 2)


def test_box_draws_fill_the_box():
    torch.manual_seed(0)
    z = box(2).rsample((20_000,))
    assert z.abs().max() <= 1
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(z.var(0), torch.full((2,), 1 / 3), atol=0.01, rtol=0)


def two_clusters():
    means = torch.tensor([[-2.0, 0.0], [1.0, 1.0], [3.0, -1.0]])
    components = Independent(Normal(means, torch.tensor([0.5, 1.0])), 1)
    return MixtureDistribution(torch.tensor([0.2, 1.0, -0.3]), components)


def test_mixture_is_torchs_and_its_responsibilities_are_bayes():
    torch.manual_seed(0)
    ours = two_clusters()
    weights = Categorical(logits=torch.tensor([0.2, 1.0, -0.3]))
    theirs = MixtureSameFamily(weights, ours.component_distribution)
    z = torch.randn(4, 7, 2) * 2
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z))
    for point, shares in zip(z[0], ours.responsibilities(z)[0].exp(), strict=True):
        joint = [
            weights.probs[k] * ours.component_distribution.log_prob(point)[k].exp()
            for k in range(3)
        ]
        torch.testing.assert_close(shares, torch.stack(joint) / sum(joint))
    assert ours.expand((5,)).log_prob(torch.zeros(5, 2)).shape == (5,)


def test_products_of_matrices_lose_no_digits_of_narrow_far_components():
    generator = torch.Generator().manual_seed(0)
    means = (300 + torch.randn(50, 12, generator=generator)).requires_grad_()
    scales = (0.01 + torch.rand(50, 12, generator=generator)).requires_grad_()
    weights = torch.randn(50, generator=generator).requires_grad_()
    z = (means[:20] + 0.02).detach().requires_grad_()
    ours = MixtureDistribution(weights, Independent(Normal(means, scales), 1)).log_prob(z)
    parts = Independent(Normal(means.double(), scales.double()), 1)
    theirs = MixtureSameFamily(Categorical(logits=weights.double()), parts).log_prob(z.double())
    torch.testing.assert_close(ours, theirs.float(), rtol=1e-5, atol=1e-4)
    leaves = (means, scales, weights, z)
    for a, b in zip(
        torch.autograd.grad(ours.sum(), leaves),
        torch.autograd.grad(theirs.sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


def test_mixture_integrates_to_one():
    side = torch.linspace(-9, 9, 301)
    density = two_clusters().log_prob(torch.cartesian_prod(side, side)).exp()
    assert (density.sum() * (18 / 300) ** 2).item() == pytest.approx(1, abs=1e-3)

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.terms.kl import Capacity, FreeBits

SIZES = Sizes((8, 8), (4,), n=1000)


def forward_pass(mean, scale, pz=None):
    q = Independent(Normal(mean, scale), mean.dim() - 1)
    pz = pz or Independent(Normal(torch.zeros_like(mean[0]), 1.0), mean.dim() - 1)
    x = torch.zeros(len(mean), 8, 8)
    return ForwardPass(x, x, None, Code(mean, q), None, pz, None)


def textbook(mean, scale):
    return 0.5 * (scale**2 + mean**2 - 1 - 2 * scale.log())


@pytest.fixture
def posterior():
    torch.manual_seed(0)
    mean = (torch.randn(6, 4).double() * torch.tensor([2, 1, 0.1, 0.01])).requires_grad_()
    scale = (0.5 + torch.rand(6, 4).double() / 2).requires_grad_()
    return mean, scale


def test_capacity_is_the_distance_of_the_mean_rate(posterior):
    rate = textbook(*posterior).sum(1).mean().item()
    for capacity in (0.0, rate - 1, rate + 2):
        found = Capacity(SIZES, capacity=capacity)(forward_pass(*posterior))
        assert found.shape == ()
        assert found.item() == pytest.approx(abs(rate - capacity))


def test_capacity_pulls_the_rate_from_either_side_and_follows_a_schedule(posterior):
    mean, _ = posterior
    term = Capacity(SIZES)
    slopes = []
    for term.capacity in (0.0, 100.0):
        slopes.append(torch.autograd.grad(term(forward_pass(*posterior)), mean)[0])
    torch.testing.assert_close(slopes[0], mean.detach() / len(mean))
    torch.testing.assert_close(slopes[1], -slopes[0])


def test_capacity_of_a_rate_without_closed_form(posterior):
    """The mean over the drawn codes is what is held at the capacity, not each code's."""
    half = Independent(Normal(torch.zeros(2, 4).double(), 1.0), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(2).double()), half)
    p = forward_pass(*posterior, mixture)
    z = p.code.q.sample((7,))
    p = ForwardPass(p.x, p.inputs, None, Code(z, p.code.q), None, mixture, None)
    rate = (p.code.q.log_prob(z) - mixture.log_prob(z)).mean().item()
    assert Capacity(SIZES, capacity=3.0)(p).item() == pytest.approx(abs(rate - 3.0))


@pytest.mark.parametrize("groups", [None, 1, 2, 4])
def test_free_bits(posterior, groups):
    each = textbook(*posterior).mean(0)
    parts = each.reshape(groups or 4, -1).sum(1).tolist()
    nats = sorted(parts)[len(parts) // 2] * 0.9
    found = FreeBits(SIZES, nats=nats, groups=groups)(forward_pass(*posterior))
    assert found.shape == ()
    assert found.item() == pytest.approx(sum(max(nats, part) for part in parts))


def test_free_bits_are_free(posterior):
    mean, _ = posterior
    each = textbook(*posterior).mean(0)
    nats = each.sort().values[1:3].mean().item()  # two dimensions lie below
    (slope,) = torch.autograd.grad(FreeBits(SIZES, nats=nats)(forward_pass(*posterior)), mean)
    assert ((slope == 0).all(0) == (each < nats)).all()
    torch.testing.assert_close(slope[:, each > nats], mean[:, each > nats] / len(mean))


def test_free_bits_of_codes_that_are_maps():
    mean, scale = torch.randn(5, 2, 3, 3), torch.full((5, 2, 3, 3), 0.5)
    sizes = Sizes((8, 8), (2, 3, 3))
    channels = textbook(mean, scale).mean(0).sum((1, 2))
    found = FreeBits(sizes, nats=0.0, groups=2)(forward_pass(mean, scale))
    torch.testing.assert_close(found, channels.sum())
    assert FreeBits(sizes).groups == 18


def test_free_bits_refuses_what_it_is_not_defined_for(posterior):
    with pytest.raises(RecipeError, match="4 latent dimensions cannot be divided into 3 groups"):
        FreeBits(SIZES, groups=3)
    half = Independent(Normal(torch.zeros(2, 4), 1.0), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(2)), half)
    with pytest.raises(RecipeError, match="prior is not a product of independent normals"):
        FreeBits(SIZES)(forward_pass(*posterior, mixture))

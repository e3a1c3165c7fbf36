import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal, Uniform

from autoencode.contract import Adversary, Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.parts.terms.adversaries import Factor, MatchPrior
from autoencode.parts.terms.matching import (
    MaximumMeanDiscrepancy,
    SlicedWasserstein,
    codes_and_prior_samples,
)

SIZES = Sizes((8, 8), (3,), n=1000)
STANDARD = Independent(Normal(torch.zeros(3), 1.0), 1)


def forward_pass(z, pz=STANDARD):
    x = torch.zeros(1, 8, 8)
    return ForwardPass(x, x, None, Code(z), None, pz, None)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_the_sum_over_pairs_and_scales(kernel):
    z = torch.randn(5, 3)
    scales, width = (0.5, 2.0), 1.5
    torch.manual_seed(3)
    term = MaximumMeanDiscrepancy(SIZES, kernel=kernel, scales=scales, scale=width)
    found = term(forward_pass(z))
    torch.manual_seed(3)
    y = STANDARD.sample((5,))

    def k(a, b):
        r2, context = ((a - b) ** 2).sum().item(), 2 * 3 * width**2
        each = [
            s * context / (s * context + r2) if kernel == "imq" else math.exp(-r2 / (s * context))
            for s in scales
        ]
        return sum(each) / 2

    pairs = [(i, j) for i in range(5) for j in range(5)]
    expected = sum(k(z[i], z[j]) + k(y[i], y[j]) for i, j in pairs if i != j) / 20
    expected -= 2 * sum(k(z[i], y[j]) for i, j in pairs) / 25
    assert found.shape == ()
    assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_mmd_is_nought_at_the_prior_and_grows_away_from_it(kernel):
    term = MaximumMeanDiscrepancy(SIZES, kernel=kernel)

    def mean_of(shift, scale):
        found = term(forward_pass(shift + scale * torch.randn(200, 50, 3)))
        return found.item()

    at_prior, shifted, further = mean_of(0, 1), mean_of(0.5, 1), mean_of(1, 1)
    assert abs(at_prior) < 1e-3
    assert 0.01 < shifted < further < 2
    assert mean_of(0, 0.5) > 0.01
    assert mean_of(1e4, 1) <= 2


def test_mmd_pulls_codes_to_the_prior():
    z = (torch.randn(100, 3) + 3).requires_grad_()
    (slope,) = torch.autograd.grad(MaximumMeanDiscrepancy(SIZES)(forward_pass(z)), z)
    assert (slope.mean(0) > 0).all()  # downhill is towards the origin


def test_mmd_needs_a_scale():
    with pytest.raises(RecipeError, match="at least one scale"):
        MaximumMeanDiscrepancy(SIZES, scales=())


@pytest.mark.long
def test_sliced_wasserstein_of_a_shifted_prior():
    z = torch.randn(50, 400, 3) + torch.tensor([1.0, 2.0, 2.0])
    found = SlicedWasserstein(SIZES, projections=200)(forward_pass(z))
    assert found.shape == ()
    assert found.item() == pytest.approx(9 / 3, abs=0.25)
    same = SlicedWasserstein(SIZES)(forward_pass(torch.randn(50, 400, 3)))
    assert 0 < same.item() < 0.05


def test_codes_and_prior_samples_have_one_shape_whatever_the_prior():
    one = Independent(Normal(torch.zeros(2, 2), 1.0), 2)
    each = Independent(Normal(torch.arange(4.0)[:, None, None].expand(4, 2, 2), 1e-3), 2)
    box = Independent(Uniform(-torch.ones(2, 2), torch.ones(2, 2)), 2)
    sizes = Sizes((8, 8), (2, 2))
    for pz in (one, each, box):
        for lead in ((4,), (5, 4)):
            codes, draws = codes_and_prior_samples(
                forward_pass(torch.randn(*lead, 2, 2), pz), sizes
            )
            assert codes.shape == draws.shape == (*lead, 4)
    _, draws = codes_and_prior_samples(forward_pass(torch.randn(5, 4, 2, 2), each), sizes)
    torch.testing.assert_close(draws.mean((0, 2)), torch.arange(4.0), atol=0.01, rtol=0)


@pytest.mark.parametrize("part", [MaximumMeanDiscrepancy, SlicedWasserstein, MatchPrior])
def test_a_learned_prior_learns_and_a_discrete_one_only_gives_draws(part):
    mean = torch.zeros(3, requires_grad=True)
    p = forward_pass(torch.randn(20, 3) + 2, Independent(Normal(mean, 1.0), 1))
    if part is MatchPrior:
        part(SIZES).critic_loss(p).backward()
        assert mean.grad is None  # the critic's loss teaches the critic alone
    else:
        part(SIZES)(p).backward()
        assert (mean.grad < 0).all()  # towards the codes
    coins = Independent(Bernoulli(torch.full((3,), 0.5)), 1)
    assert part(SIZES)(forward_pass(torch.randn(20, 3), coins)).isfinite().all()


@pytest.mark.parametrize("part", [MaximumMeanDiscrepancy, SlicedWasserstein, Factor, MatchPrior])
def test_one_code_and_autocast(part):
    term, z = part(SIZES), torch.randn(1, 3, requires_grad=True)
    found = term(forward_pass(z)).mean()
    found.backward()
    assert found.isfinite()
    assert z.grad.isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert term(forward_pass(torch.randn(20, 3))).dtype == torch.float32


class Fixed(nn.Module):
    """A critic that is a formula."""

    def __init__(self, logit):
        super().__init__()
        self.logit = logit

    def forward(self, z):
        return self.logit(z)[..., None]


def test_factor_with_the_perfect_critic_is_the_total_correlation():
    """Two numbers with correlation ρ: the log density ratio is known, and so is its mean."""
    rho = 0.7
    joint = torch.distributions.MultivariateNormal(
        torch.zeros(2), torch.tensor([[1, rho], [rho, 1]])
    )
    term = Factor(Sizes((8, 8), (2,)))
    apart = Independent(Normal(torch.zeros(2), 1.0), 1)
    term.critic = Fixed(lambda z: joint.log_prob(z) - apart.log_prob(z))
    p = forward_pass(joint.sample((40_000,)))
    assert term(p).shape == (40_000,)
    assert term(p).mean().item() == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.02)
    # That critic is the best one: its loss is below that of any other, ln 2 among them.
    best = term.critic_loss(p).item()
    logit = term.critic.logit
    for worse in (lambda z: 0 * z[..., 0], lambda z: 1.3 * logit(z), lambda z: logit(z) + 0.2):
        term.critic = Fixed(worse)
        assert term.critic_loss(p).item() > best + 1e-4


def test_factor_shuffles_each_number_by_itself_among_the_examples():
    term, seen = Factor(SIZES), []
    term.critic = Fixed(lambda z: seen.append(z) or z[..., 0])
    z = torch.arange(2 * 50 * 3).reshape(2, 50, 3).float()
    term.critic_loss(forward_pass(z))
    codes, shuffled = seen
    assert torch.equal(codes, z)
    assert torch.equal(shuffled.sort(1).values, z)  # the same numbers, of the same sample
    rows = (shuffled - torch.arange(3)) % 150
    assert not torch.equal(rows[..., 0], rows[..., 1])  # of other examples


def test_match_prior_is_the_cross_entropy_of_its_critic():
    term = MatchPrior(SIZES)
    p = forward_pass(torch.randn(2, 10, 3))
    d = torch.sigmoid(term.critic(p.code.z)[..., 0])
    torch.testing.assert_close(term(p), -d.log())
    torch.manual_seed(4)
    loss = term.critic_loss(p)
    torch.manual_seed(4)
    prior = torch.sigmoid(term.critic(STANDARD.sample((2, 10)))[..., 0])
    torch.testing.assert_close(loss, -(prior.log().mean() + (1 - d).log().mean()) / 2)


def test_match_prior_survives_a_critic_that_is_sure():
    term = MatchPrior(SIZES)
    term.critic = Fixed(lambda z: -1e4 * z[..., 0])
    z = torch.ones(5, 3, requires_grad=True)
    found = term(forward_pass(z))
    (slope,) = torch.autograd.grad(found.sum(), z)
    torch.testing.assert_close(found, torch.full((5,), 1e4))
    assert (slope[:, 0] == 1e4).all()  # it does not fade
    assert term.critic_loss(forward_pass(z)).isfinite()


@pytest.mark.parametrize("part", [Factor, MatchPrior])
def test_the_players_learn_apart(part):
    term = part(SIZES, width=8, layers=2)
    assert isinstance(term, Adversary)
    assert [m.out_features for m in term.modules() if isinstance(m, nn.Linear)] == [8, 8, 1]
    z = torch.randn(20, 3, requires_grad=True)
    term.critic_loss(forward_pass(z)).backward()
    assert z.grad is None
    assert all((w.grad != 0).any() for w in term.parameters())
    term(forward_pass(z)).mean().backward()
    assert (z.grad != 0).any()


@pytest.mark.long
def test_a_game_against_match_prior_brings_the_codes_home():
    """Codes that start as N(3, ½²), moved by the term, end near the prior N(0, 1)."""
    sizes = Sizes((8, 8), (1,))
    prior = Independent(Normal(torch.zeros(1), 1.0), 1)
    term = MatchPrior(sizes, width=32, layers=1)
    where = torch.tensor([3.0, math.log(0.5)], requires_grad=True)
    codes = torch.optim.Adam([where], 0.02)
    critic = torch.optim.Adam(term.parameters(), 0.01)
    for _ in range(400):
        p = forward_pass(where[0] + where[1].exp() * torch.randn(100, 1), prior)
        codes.zero_grad()
        term(p).mean().backward()
        codes.step()
        critic.zero_grad()
        term.critic_loss(p).backward()
        critic.step()
    mean, scale = where[0].item(), where[1].exp().item()
    assert abs(mean) < 0.6
    assert 0.6 < scale < 1.6


def test_the_critic_of_factor_learns_a_dependence():
    term = Factor(Sizes((8, 8), (2,)), width=32, layers=1)
    optimizer = torch.optim.Adam(term.parameters(), 0.02)
    for _ in range(150):
        a = torch.randn(200, 1)
        p = forward_pass(torch.cat([a, 0.8 * a + 0.6 * torch.randn(200, 1)], 1))
        optimizer.zero_grad()
        term.critic_loss(p).backward()
        optimizer.step()
    assert term(p).mean().item() == pytest.approx(-0.5 * math.log(1 - 0.64), abs=0.25)

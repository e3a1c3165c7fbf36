import math

import pytest
import torch
from torch import nn
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

from autoencode.contract import Code, Sizes
from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation import posteriors
from autoencode.evaluation.metrics import prior as prior_metrics
from autoencode.evaluation.metrics.prior import active_units, maximum_mean_discrepancy
from autoencode.evaluation.posteriors import aggregate_divergence
from autoencode.maths import BoxUniform, Pushforward, SphereUniform, Tanh
from autoencode.maths.discrepancies import mean_discrepancy
from autoencode.maths.power_spherical import PowerSpherical


class Hand(nn.Module):
    """An example is the mean and the scale of its posterior, [2, *Z]; the rest is of a kind."""

    def __init__(self, z=(1,), kind="normal", prior=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.sizes, self.kind, self.given = Sizes(x=(2, *z), z=z), kind, prior

    def q(self, x):
        normal = Independent(Normal(x[:, 0], x[:, 1]), len(self.sizes.z))
        if self.kind == "box":
            return Pushforward(normal, Tanh())
        if self.kind == "circle":
            return PowerSpherical(nn.functional.normalize(x[:, 0], dim=-1), x[:, 1, 0])
        return normal

    def encode(self, x, context=None, samples=None):
        return Code(x[:, 0], self.q(x))

    def prior(self, context=None):
        return self.given or Independent(
            Normal(torch.zeros(self.sizes.z), torch.ones(self.sizes.z)), len(self.sizes.z)
        )


def examples(means, scales):
    means = torch.as_tensor(means)
    return torch.stack([means, torch.as_tensor(scales).expand_as(means)], 1)


def integrated(q, p, grid, width):
    """KL(q(z) ‖ p) and I(n; z) of posteriors [N] by sums over a grid of codes [G, d]."""
    each = q.log_prob(grid[:, None]).double()
    mixture = each.logsumexp(1) - math.log(each.shape[1])
    divergence = (mixture.exp() * (mixture - p.log_prob(grid).double())).sum() * width
    information = (each.exp() * (each - mixture[:, None])).mean(1).sum() * width
    return divergence.item(), information.item()


def agrees(found, divergence, information):
    assert 0 < found.divergence_stderr < 0.05
    assert 0 < found.mutual_information_stderr < 0.05
    assert abs(found.divergence - divergence) < 4 * found.divergence_stderr
    assert abs(found.mutual_information - information) < 4 * found.mutual_information_stderr


def test_normals_by_integration():
    generator = torch.Generator().manual_seed(0)
    x = examples(
        2 * torch.randn(30, 1, generator=generator) + 1,
        0.1 + torch.rand(30, 1, generator=generator),
    )
    model = Hand()
    grid = torch.linspace(-15, 15, 30_001)[:, None]
    expected = integrated(model.q(x), model.prior(), grid, 30 / 30_000)
    assert min(expected) > 0.5
    found = aggregate_divergence(model, x, samples=5_000, batch_size=7)
    agrees(found, *expected)
    assert (found.draws, found.examples) == (5_000, 30)
    # Both together are the mean rate, and exactly so by integration.
    rate = kl_divergence(model.q(x), model.prior()).mean().item()
    assert sum(expected) == pytest.approx(rate, rel=1e-4)


def test_posteriors_in_the_box_by_integration():
    generator = torch.Generator().manual_seed(1)
    x = examples(1.5 * torch.randn(20, 1, generator=generator), 0.3)
    model = Hand(kind="box", prior=BoxUniform((1,), like=torch.zeros(())))
    grid = torch.linspace(-1, 1, 40_001)[1:-1, None]
    expected = integrated(model.q(x), model.prior(), grid, 2 / 40_000)
    agrees(aggregate_divergence(model, x, samples=4_000), *expected)


def test_codes_that_round_to_the_walls_of_the_box():
    # tanh of 12 is 1 in float32, from which 12 could not be found again.
    x = examples(12 + torch.arange(4.0)[:, None], 0.01)
    model = Hand(kind="box", prior=BoxUniform((1,), like=torch.zeros(())))
    found = aggregate_divergence(model, x, samples=400)
    assert found.mutual_information == pytest.approx(math.log(4), abs=1e-6)
    # −ln 4 − H(N) + ln 2 − mean slope, with ln(1 − tanh² e) = ln 4 − 2 e.
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.01**2)
    slope = math.log(4) - 2 * x[:, 0].mean().item()
    expected = -math.log(4) - entropy - slope + math.log(2)
    assert found.divergence == pytest.approx(expected, abs=4 * found.divergence_stderr)


def test_posteriors_on_a_circle_by_integration():
    generator = torch.Generator().manual_seed(2)
    x = examples(torch.randn(15, 2, generator=generator) + 0.5, 20.0)
    model = Hand((2,), kind="circle", prior=SphereUniform(2, like=torch.zeros(())))
    angle = torch.arange(20_000) * 2 * math.pi / 20_000
    grid = torch.stack([angle.cos(), angle.sin()], 1)
    expected = integrated(model.q(x), model.prior(), grid, 2 * math.pi / 20_000)
    agrees(aggregate_divergence(model, x, samples=4_000), *expected)


def test_maps_of_codes_against_torch_mixtures():
    generator = torch.Generator().manual_seed(3)
    x = examples(torch.randn(12, 2, 3, 2, generator=generator), 0.7)
    model = Hand((2, 3, 2))
    q, p = model.q(x), model.prior()
    mixture = MixtureSameFamily(Categorical(torch.ones(12)), q)
    torch.manual_seed(0)
    z = mixture.sample((40_000,))
    nats = (mixture.log_prob(z) - p.log_prob(z)).double()
    error = nats.std().item() / 200
    found = aggregate_divergence(model, x, samples=4_000, batch_size=5)
    assert abs(found.divergence - nats.mean().item()) < 4 * (error + found.divergence_stderr)


def test_a_collapsed_posterior_tells_nothing():
    found = aggregate_divergence(Hand((3,)), examples(torch.zeros(50, 3), 1.0), samples=300)
    assert found.divergence == pytest.approx(0, abs=1e-5)
    assert found.mutual_information == pytest.approx(0, abs=1e-5)


def test_posteriors_that_lie_apart_tell_the_example():
    x = examples(100 * torch.arange(37.0)[:, None], 1.0)
    found = aggregate_divergence(Hand(), x, samples=500)
    assert found.mutual_information == pytest.approx(math.log(37), abs=1e-4)
    # Half of the examples twice: one bit less.
    found = aggregate_divergence(Hand(), torch.cat([x, x]), samples=500)
    assert found.mutual_information == pytest.approx(math.log(37), abs=1e-4)


def test_few_draws_are_of_examples_from_all_over():
    # The first half share one posterior, each of the others has its own.
    x = examples(100 * torch.arange(-299.0, 301.0).clamp(min=0)[:, None], 1.0)
    found = aggregate_divergence(Hand(), x, samples=200)
    expected = 0.5 * math.log(2) + 0.5 * math.log(600)
    assert found.draws == 200
    assert 0 < abs(found.mutual_information - expected) < 4 * found.mutual_information_stderr


@pytest.mark.parametrize(
    "row",
    ["vae", "cvae", "uniform-vae", "sphere-vae", "ladder-vae", "mog-vae", "vamp-vae", "flow-vae"],
)
def test_the_sum_is_the_mean_rate(make, row):
    model = make(row, x=(6, 5), latent=4) if row != "cvae" else make_conditional()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(2)
    x = torch.rand(60, 6, 5, generator=torch.Generator().manual_seed(0))
    context = torch.arange(60) % 3 if row == "cvae" else None
    before = torch.get_rng_state()
    found = aggregate_divergence(model, x, context, samples=2_000, batch_size=23)
    assert torch.equal(before, torch.get_rng_state())
    assert found == aggregate_divergence(model, x, context, samples=2_000, batch_size=23)
    assert model.training
    model.eval()
    with torch.no_grad():
        q, p = model.encode(x, context).q, model.prior(context)
        torch.manual_seed(1)
        z = q.sample((400,))
        rates = (q.log_prob(z) - p.log_prob(z)).double()
    error = rates.mean(1).std().item() / 20
    both = found.divergence + found.mutual_information
    spread = 4 * (error + found.divergence_stderr + found.mutual_information_stderr)
    assert abs(both - rates.mean().item()) < spread < 0.1 + 0.2 * both
    assert 0.01 < found.mutual_information < math.log(60)


def make_conditional():
    from autoencode.models.build import build
    from autoencode.models.recipes.table import RECIPES

    return build(RECIPES["cvae"].but(latent=4), Sizes((6, 5), (4,), context=3, n=100), seed=0)


@pytest.mark.parametrize("row", ["ae", "wae-mmd", "vq-vae", "planar-vae", "iaf-vae"])
def test_models_that_have_none(make, row):
    x = torch.rand(9, 8, 8, generator=torch.Generator().manual_seed(0))
    assert aggregate_divergence(make(row, x=(8, 8), latent=4), x, samples=20) is None


def test_a_prior_for_each_context_is_no_one_prior():
    ones = torch.ones(1, 1)
    model = Hand(prior=Independent(Normal(0 * ones, ones), 1))
    assert aggregate_divergence(model, examples(torch.zeros(3, 1), 1.0)) is None


def test_blocks_and_draws(monkeypatch):
    x = examples(torch.randn(90, 4, generator=torch.Generator().manual_seed(0)), 0.5)
    whole = aggregate_divergence(Hand((4,)), x, samples=300)
    monkeypatch.setattr(posteriors, "MAX_NUMBERS_AT_ONCE", 1_000)
    blocks = aggregate_divergence(Hand((4,)), x, samples=300)
    assert blocks.divergence == pytest.approx(whole.divergence, rel=1e-5)
    assert blocks.mutual_information == pytest.approx(whole.mutual_information, rel=1e-5)
    monkeypatch.setattr(posteriors, "MAX_NUMBERS", 150 * 90 * 4)
    assert aggregate_divergence(Hand((4,)), x, samples=300).draws == 150
    monkeypatch.setattr(posteriors, "MAX_NUMBERS", 1)
    assert aggregate_divergence(Hand((4,)), x, samples=300).draws == 100
    assert aggregate_divergence(Hand((4,)), x, samples=30, seed=1).draws == 30


def test_examples_that_have_no_divergence():
    with pytest.raises(DataError, match="no examples"):
        aggregate_divergence(Hand(), torch.zeros(0, 2, 1))
    with pytest.raises(RecipeError, match="samples"):
        aggregate_divergence(Hand(), torch.ones(2, 2, 1), samples=1)


def test_active_units_by_hand():
    scales = torch.tensor([[1.0, 0.2], [0.05, 0.0]])  # variances 1, 0.04, 0.0025, 0
    means = torch.randn(5_000, 2, 2, generator=torch.Generator().manual_seed(0)) * scales + 30
    assert active_units(means) == 2
    assert active_units(means, threshold=0.001) == 3
    assert active_units(means[:2], threshold=100.0) == 0
    with pytest.raises(DataError, match="2 codes or more"):
        active_units(means[:1])
    with pytest.raises(Diverged, match="not finite"):
        active_units(means / 0)


def test_discrepancy_by_hand():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 40, 2, 3, generator=generator).double()
    a = a + 0.5
    squares = (b.flatten(1)[:, None] - b.flatten(1)).square().sum(-1)
    i, j = torch.triu_indices(40, 40, 1)
    width = squares[i, j].sort().values[(len(i) - 1) // 2]

    def kernel(s):
        return sum(r * width / (r * width + s) for r in (0.1, 0.2, 0.5, 1, 2, 5, 10)) / 7

    by_hand = mean_discrepancy(a.flatten(1), b.flatten(1), kernel).item()
    assert maximum_mean_discrepancy(a, b) == pytest.approx(by_hand, rel=1e-9)
    assert by_hand > 0.01


def test_discrepancy_of_one_distribution_is_zero_on_average(monkeypatch):
    monkeypatch.setattr(prior_metrics, "BLOCK", 50)  # 200 codes in four blocks
    generator = torch.Generator().manual_seed(1)
    same, other = [], []
    for _ in range(40):
        a, b = torch.randn(2, 200, 4, generator=generator)
        same.append(maximum_mean_discrepancy(a, b))
        other.append(maximum_mean_discrepancy(a * 0.5, b))
    same, other = torch.tensor(same), torch.tensor(other)
    assert same.mean().abs() < 4 * same.std() / 40**0.5
    assert 5 < (same < 0).sum() < 35
    assert other.min() > same.max()


def test_discrepancy_takes_blocks_of_all_codes(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(600, 3, generator=generator) + 1, torch.randn(900, 3, generator=generator)
    whole = maximum_mean_discrepancy(a, b)
    monkeypatch.setattr(prior_metrics, "BLOCK", 250)
    assert maximum_mean_discrepancy(a, b) == pytest.approx(whole, rel=0.1)
    # Neither the unit of the code nor its origin counts.
    assert maximum_mean_discrepancy(9 * a + 1, 9 * b + 1) == pytest.approx(
        maximum_mean_discrepancy(a, b), rel=1e-4
    )


def test_clouds_that_cannot_be_compared():
    a = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    with pytest.raises(DataError, match="one space"):
        maximum_mean_discrepancy(a, a[:, :2])
    with pytest.raises(DataError, match="2 codes or more"):
        maximum_mean_discrepancy(a, a[:1])
    with pytest.raises(DataError, match="coincide"):
        maximum_mean_discrepancy(a, torch.ones(9, 3))
    with pytest.raises(Diverged, match="not finite"):
        maximum_mean_discrepancy(a * math.inf, a)

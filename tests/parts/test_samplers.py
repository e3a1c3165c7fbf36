"""Samplers recover what they were fitted to, say what they cannot do, and leave no trace."""

import math
from copy import deepcopy

import pytest
import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from autoencode.contract import Code, Sizes
from autoencode.errors import DataError, RecipeError, RunError
from autoencode.parts.bottlenecks.quantised import FiniteScalar
from autoencode.parts.bottlenecks.vector import VectorQuantised
from autoencode.parts.samplers import SAMPLERS
from autoencode.parts.samplers.discrete import Autoregressive, NextIndex, sample_entry
from autoencode.parts.samplers.gaussian import FullNormal, Mixture
from autoencode.parts.samplers.learned import Flow, TwoStage

PLANE = Sizes((8, 8), (2,))
KNOWN = MultivariateNormal(torch.tensor([3.0, -1.0]), torch.tensor([[2.0, 0.9], [0.9, 0.5]]))
CLOUDS = MixtureSameFamily(
    Categorical(torch.tensor([0.25, 0.75])),
    MultivariateNormal(
        torch.tensor([[-4.0, 0.0], [4.0, 2.0]]),
        torch.tensor([[[1.0, 0.6], [0.6, 0.8]], [[0.3, 0.0], [0.0, 2.0]]]),
    ),
)


def drawn(distribution, n=20_000, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return distribution.sample((n,))


def moons(n, seed):
    return torch.from_numpy(make_moons(n, noise=0.05, random_state=seed)[0]).float()


def fitted(sampler, z, seed=0, index=None):
    sampler.fit(Code(z, index=index), seed)
    return sampler


def small(kind):
    args = {"flow": {"steps": 3}, "two-stage": {"steps": 3}, "autoregressive": {"steps": 3}}
    torch.manual_seed(0)
    book = {"book": FiniteScalar(PLANE, levels=(3,)).eval()} if kind == "autoregressive" else {}
    return SAMPLERS[kind](PLANE, **book, **args.get(kind, {}))


def codes(kind, n=200):
    if kind != "autoregressive":
        return Code(drawn(KNOWN, n))
    index = torch.randint(3, (n, 2), generator=torch.Generator().manual_seed(0))
    return Code(FiniteScalar(PLANE, levels=(3,)).codes_of(index), index=index)


def test_normal_recovers_mean_and_covariance():
    sampler = fitted(FullNormal(PLANE), drawn(KNOWN))
    points = drawn(KNOWN, 1000, seed=1)
    torch.testing.assert_close(
        sampler().log_prob(points), KNOWN.log_prob(points), rtol=0.02, atol=0.06
    )
    again = fitted(FullNormal(PLANE), drawn(sampler()))
    torch.testing.assert_close(
        again().log_prob(points), sampler().log_prob(points), rtol=0.02, atol=0.06
    )


def test_normal_is_the_textbook_estimate():
    z = drawn(KNOWN, 100)
    expected = MultivariateNormal(z.mean(0), torch.cov(z.T))
    points = drawn(KNOWN, 50, seed=1)
    torch.testing.assert_close(
        fitted(FullNormal(PLANE), z)().log_prob(points),
        expected.log_prob(points),
        rtol=1e-4,
        atol=1e-4,
    )


def test_mixture_recovers_its_parts():
    sampler = fitted(Mixture(PLANE, components=2), drawn(CLOUDS, 5000))
    points = drawn(CLOUDS, 1000, seed=1)
    gap = CLOUDS.log_prob(points) - sampler().log_prob(points)
    # The mean gap is the divergence between the two, in nats.
    assert gap.mean().abs() < 0.01
    again = fitted(Mixture(PLANE, components=2), drawn(sampler(), 5000))
    assert (sampler().log_prob(points) - again().log_prob(points)).mean().abs() < 0.01


@pytest.mark.parametrize("make", [FullNormal, lambda sizes: Mixture(sizes, components=2)])
def test_codes_on_a_line_stay_there(make):
    along = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    z = torch.cat([along, 2 * along, torch.full_like(along, 5.0)], 1)
    sampler = fitted(make(Sizes((8, 8), (3,))), z)
    new = drawn(sampler(), 500)
    assert new.isfinite().all()
    assert (new[:, 1] - 2 * new[:, 0]).abs().max() < 0.05
    assert (new[:, 2] - 5).abs().max() < 0.01


@pytest.mark.long
def test_flow_knows_moons_better_than_a_normal():
    z, unseen = moons(4000, 0), moons(1000, 1)
    torch.manual_seed(0)
    flow = fitted(Flow(PLANE, steps=100, hidden=(32, 32), lr=1e-2), z)
    gain = flow().log_prob(unseen).mean() - fitted(FullNormal(PLANE), z)().log_prob(unseen).mean()
    assert gain > 0.5
    # A density: it integrates to one over the plane.
    side = torch.linspace(-4, 5, 300)
    grid = torch.cartesian_prod(side, side)
    mass = flow().log_prob(grid).exp().sum() * (side[1] - side[0]) ** 2
    assert mass == pytest.approx(1, abs=0.02)


@pytest.mark.long
def test_flow_draws_from_its_density():
    flow = fitted(Flow(PLANE, steps=60, hidden=(32, 32), lr=1e-2), drawn(KNOWN, 2000))
    new = drawn(flow(), 5000)
    torch.testing.assert_close(new.mean(0), KNOWN.mean, rtol=0, atol=0.15)
    torch.testing.assert_close(torch.cov(new.T), KNOWN.covariance_matrix, rtol=0, atol=0.3)


@pytest.mark.long
def test_second_stage_draws_where_the_codes_are():
    z = drawn(CLOUDS, 4000)
    torch.manual_seed(0)
    stage = fitted(TwoStage(PLANE, width=64, steps=300, lr=5e-3), z)

    def distance(new):
        return torch.cdist(new, z).min(1).values.mean()

    normal = fitted(FullNormal(PLANE), z)
    assert distance(drawn(stage(), 1000)) < 0.6 * distance(drawn(normal(), 1000))
    share = (drawn(stage(), 4000)[:, 0] > 0).float().mean()
    assert share == pytest.approx(0.75, abs=0.1)
    with pytest.raises(NotImplementedError):
        stage().log_prob(z)


def test_bound_of_the_second_stage_is_below_the_likelihood():
    torch.manual_seed(0)
    network = TwoStage(Sizes((8, 8), (1,)), width=8).network
    z = torch.randn(5, 1)
    u = torch.linspace(-6, 6, 2001)[:, None]
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(u[:, 0])
    # ln p(z) by quadrature over u.
    given = torch.stack([network.likelihood(u).log_prob(each.expand(2001, 1)) for each in z])
    evidence = (given + prior).logsumexp(1) + math.log(12 / 2000)
    noise = torch.Generator().manual_seed(0)
    bound = torch.stack([network.negative_elbo(z, noise) for _ in range(500)]).mean(0)
    assert (bound >= -evidence - 0.02).all()
    assert (bound + evidence).max() < 1


@pytest.mark.long
def test_autoregression_learns_a_transition_table():
    table = torch.tensor([[0.1, 0.8, 0.1], [0.05, 0.05, 0.9], [0.7, 0.2, 0.1]])
    generator = torch.Generator().manual_seed(0)
    chain = [torch.randint(3, (4000,), generator=generator)]
    for _ in range(3):
        chain.append(table[chain[-1]].multinomial(1, generator=generator)[:, 0])
    index = torch.stack(chain, 1)
    sizes = Sizes((8, 8), (4,))
    book = FiniteScalar(sizes, levels=(3,)).eval()
    torch.manual_seed(0)
    sampler = fitted(
        Autoregressive(sizes, book, steps=250, lr=1e-2), book.codes_of(index), index=index
    )
    # All 81 codes have probabilities that add up to one, near those of the chain.
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    probability = sampler().log_prob(book.codes_of(every)).exp()
    assert probability.sum() == pytest.approx(1, abs=1e-4)
    a, b, context, d = every.T
    torch.testing.assert_close(
        probability, table[a, b] * table[b, context] * table[context, d] / 3, rtol=0, atol=0.015
    )
    new = book.index_of(drawn(sampler(), 4000))
    for before in range(3):
        following = new[:, 2][new[:, 1] == before]
        found = torch.bincount(following, minlength=3) / len(following)
        torch.testing.assert_close(found, table[before], rtol=0, atol=0.06)


def test_no_index_sees_itself_or_a_later_one():
    sampler = small("autoregressive")
    base = torch.tensor([[0, 1]])
    logits = sampler.network(base)
    changed = sampler.network(torch.tensor([[0, 2]]))
    assert torch.equal(logits, changed)
    earlier = sampler.network(torch.tensor([[1, 1]]))
    assert torch.equal(logits[:, 0], earlier[:, 0])
    assert not torch.equal(logits[:, 1], earlier[:, 1])


def test_a_copied_model_samples_from_its_own_book():
    book = VectorQuantised(PLANE, codes=4).eval()
    model = nn.ModuleList([book, Autoregressive(PLANE, book, steps=1)])
    index = torch.randint(4, (50, 1))
    model[1].fit(Code(book.codes_of(index), index=index), 0)
    twin = deepcopy(model)
    with torch.no_grad():
        twin[0].codebook.vectors += 100
    assert drawn(twin[1](), 10).min() > 50
    assert drawn(model[1](), 10).max() < 50
    assert not [name for name in model[1].state_dict() if "book" in name]


@pytest.mark.parametrize("kind", list(SAMPLERS))
class TestEverySampler:
    def test_state_and_draws_are_of_the_code_and_the_seed_alone(self, kind):
        one, two, three = small(kind), small(kind), small(kind)
        one.fit(codes(kind), 0)
        two.fit(codes(kind, 100), 5)  # what was learned before leaves no trace
        two.fit(codes(kind), 0)
        three.load_state_dict(one.state_dict())
        for other in (two, three, deepcopy(one)):
            assert torch.equal(drawn(one(), 10), drawn(other(), 10))

    def test_draws_have_the_shape_of_codes(self, kind):
        sampler = small(kind)
        sampler.fit(codes(kind), 0)
        distribution = sampler()
        assert distribution.event_shape == (2,)
        assert distribution.batch_shape == ()
        assert distribution.sample().shape == (2,)
        new = distribution.sample((3, 5))
        assert new.shape == (3, 5, 2)
        assert distribution.sample(torch.Size((4,))).shape == (4, 2)
        if kind != "two-stage":
            assert distribution.log_prob(new).shape == (3, 5)

    def test_global_randomness_is_left_alone(self, kind):
        sampler = small(kind)
        before = torch.get_rng_state()
        with torch.no_grad():
            sampler.fit(codes(kind), 3)
        assert torch.equal(torch.get_rng_state(), before)

    def test_only_fitting_moves_the_weights(self, kind):
        sampler = small(kind)
        sampler.fit(codes(kind), 0)
        assert not any(weight.requires_grad for weight in sampler.parameters())
        assert sampler.fitted

    def test_what_was_not_fitted_is_refused(self, kind):
        with pytest.raises(RunError, match="has not been fitted"):
            small(kind)()

    def test_too_few_codes_are_refused(self, kind):
        with pytest.raises(DataError, match="or more, and got 1"):
            small(kind).fit(codes(kind, 1), 0)

    def test_codes_that_are_not_finite_are_refused(self, kind):
        z = torch.full((50, 2), math.nan)
        with pytest.raises(DataError, match="not finite"):
            small(kind).fit(Code(z), 0)

    def test_codes_of_inference_mode_are_learned_from(self, kind):
        with torch.inference_mode():
            given = codes(kind)
        found, expected = small(kind), small(kind)
        found.fit(given, 0)
        expected.fit(codes(kind), 0)
        torch.testing.assert_close(found.state_dict(), expected.state_dict(), rtol=0, atol=0)

    def test_it_can_be_built_without_memory(self, kind):
        with torch.device("meta"):
            sampler = small(kind)
        assert {each.device.type for each in sampler.state_dict().values()} == {"meta"}


@pytest.mark.parametrize("kind", ["normal", "mixture", "flow", "two-stage"])
def test_maps_of_codes_keep_their_shape(kind):
    sizes = Sizes((8, 8), (2, 1, 2))
    z = torch.randn(300, 2, 1, 2, generator=torch.Generator().manual_seed(0))
    args = {"steps": 2} if kind in ("flow", "two-stage") else {}
    sampler = fitted(SAMPLERS[kind](sizes, **args), z)
    assert sampler().sample((4,)).shape == (4, 2, 1, 2)


def test_codes_without_indices_are_refused():
    with pytest.raises(RecipeError, match="these codes are continuous"):
        small("autoregressive").fit(Code(torch.zeros(10, 2)), 0)


def test_indices_drawn_group_by_group_follow_the_whole_network():
    torch.manual_seed(0)
    network = NextIndex(groups=5, entries=4, width=3)
    network.bias.weight.data.normal_()
    torch.manual_seed(1)
    drawn = network.sample(50)
    torch.manual_seed(1)
    index = torch.zeros(50, 5, dtype=torch.long)
    for group in range(5):
        index[:, group] = sample_entry(network(index)[:, group])
    assert torch.equal(drawn, index)


def test_entries_are_drawn_as_often_as_they_say():
    torch.manual_seed(0)
    chance = torch.tensor([0.0, 0.5, 0.2, 0.3, 0.0])
    found = torch.bincount(sample_entry(chance.log().expand(20_000, 5)), minlength=5) / 20_000
    torch.testing.assert_close(found, chance, atol=0.015, rtol=0)
    assert found[0] == found[4] == 0

import copy
import math
import subprocess
import sys

import pytest
import torch
from torch.distributions import Independent, Normal

from autoencode.contract import Code, Sizes, Space
from autoencode.errors import DataError, RecipeError
from autoencode.models.build import build
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.parts.priors import PRIORS
from autoencode.parts.priors.flow import Flow
from autoencode.parts.priors.learned import NormalMixture, Vamp

PLAIN = Sizes((8, 8), (2,), n=1000)
SMALL = {"mixture": {"components": 5}, "vamp": {"components": 5}, "flow": {"hidden": (16,)}}
TOLD = Sizes((8, 8), (2,), context=3, n=1000)


def encode(x):
    """A fixed posterior, N(two pixels of x, ½ and 1)."""
    mean = 4 * x.flatten(1)[:, :2]
    return Code(mean, Independent(Normal(mean, torch.tensor([0.5, 1.0])), 1))


def prior_of(name, sizes, **args):
    torch.manual_seed(0)
    return PRIORS[name](sizes, **args)


def square(half, count):
    side = torch.linspace(-half, half, count)
    return torch.cartesian_prod(side, side), (2 * half / (count - 1)) ** 2


@pytest.mark.parametrize("name", PRIORS)
def test_draws_and_densities_have_their_shapes(name):
    p = prior_of(name, PLAIN)(None, encode)
    assert p.batch_shape == ()
    assert p.event_shape == (2,)
    z = p.sample((6, 5))
    assert z.shape == (6, 5, 2)
    assert p.log_prob(z).shape == (6, 5)
    assert torch.isfinite(p.log_prob(z)).all()
    space = PRIORS[name].space
    if space is Space.BOX:
        assert z.abs().max() <= 1
    if space is Space.SPHERE:
        torch.testing.assert_close(z.norm(dim=-1), torch.ones(6, 5))


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_context_moves_the_prior_and_none_counts_as_unknown(name):
    prior = prior_of(name, TOLD)
    for parameter in prior.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    context, z = torch.eye(3), torch.randn(3, 2)
    p = prior(context, encode)
    assert p.batch_shape == (3,)
    assert p.sample((4,)).shape == (4, 3, 2)
    assert p.log_prob(torch.randn(4, 3, 2)).shape == (4, 3)
    assert not torch.allclose(p.log_prob(z), prior(context.roll(1, 0), encode).log_prob(z))
    unknown = prior(torch.zeros(3, 3), encode).log_prob(z)
    torch.testing.assert_close(prior(None, encode).log_prob(z), unknown)


@pytest.mark.parametrize("name", ["uniform", "mixture", "vamp", "flow"])
def test_densities_integrate_to_one(name):
    p = prior_of(name, PLAIN, **SMALL.get(name, {}))(None, encode)
    z, area = square(1.0 if name == "uniform" else 9.0, 301)
    with torch.no_grad():
        mass = (p.log_prob(z).exp().sum() * area).item()
    # The grid counts the walls of the box whole, where half would be right.
    assert mass == pytest.approx((301 / 300) ** 2 if name == "uniform" else 1, abs=2e-3)


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_conditional_densities_integrate_to_one_for_every_context(name):
    p = prior_of(name, TOLD, **SMALL[name])(torch.eye(3), encode)
    z, area = square(9.0, 181)
    with torch.no_grad():
        mass = p.log_prob(z[:, None].expand(-1, 3, 2)).exp().sum(0) * area
    torch.testing.assert_close(mass, torch.ones(3), atol=3e-3, rtol=0)


@pytest.mark.parametrize("name", ["mixture", "vamp", "flow"])
def test_draws_have_the_density(name):
    p = prior_of(name, PLAIN, **SMALL.get(name, {}))(None, encode)
    z, area = square(9.0, 201)
    with torch.no_grad():
        integral = (p.log_prob(z).exp()[:, None] * z.cos()).sum(0) * area
        torch.testing.assert_close(p.sample((20_000,)).cos().mean(0), integral, atol=0.02, rtol=0)


def test_mixture_is_the_sum_of_its_normals():
    prior = prior_of("mixture", PLAIN, components=4, spread=3.0)
    for parameter in prior.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    z = torch.randn(6, 2)
    share = prior.log_weights.softmax(0)
    parts = [
        share[k] * Normal(prior.means[k], prior.log_scales[k].exp()).log_prob(z).sum(-1).exp()
        for k in range(4)
    ]
    torch.testing.assert_close(prior(None, encode).log_prob(z), sum(parts).log())
    expected = torch.stack(parts, -1) / sum(parts)[:, None]
    torch.testing.assert_close(prior.responsibilities(z).exp(), expected)
    assert prior.responsibilities(z.expand(5, 6, 2)).shape == (5, 6, 4)


def test_mixture_weights_follow_the_context():
    prior = prior_of("mixture", TOLD, components=2)
    prior.by_context.data = torch.tensor([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0]])
    shares = prior.responsibilities(prior.means.mean(0).expand(3, 2), torch.eye(3)).exp()
    assert shares[0, 0] > 0.99
    assert shares[1, 1] > 0.99
    bare = prior.responsibilities(prior.means.mean(0)).exp()
    torch.testing.assert_close(shares[2], bare)


def test_spread_sets_the_distance_of_the_first_means():
    means = prior_of("mixture", PLAIN, components=2000, spread=3.0).means
    assert means.std().item() == pytest.approx(3, rel=0.05)


def test_vamp_is_the_mean_of_the_posteriors_of_its_pseudo_inputs():
    prior = prior_of("vamp", PLAIN, components=7)
    u = prior.pseudo_inputs
    assert u.shape == (7, 8, 8)
    assert 0 < u.min() < u.mean() < 0.5 < u.max() < 1
    z = torch.randn(5, 2)
    each = encode(u).q.log_prob(z[:, None])
    torch.testing.assert_close(prior(None, encode).log_prob(z), each.logsumexp(1) - math.log(7))
    (gradient,) = torch.autograd.grad(prior(None, encode).log_prob(z).sum(), prior.logits)
    assert (gradient[:, 0, :2].abs() > 0).all()


def test_vamp_needs_posteriors():
    with pytest.raises(RecipeError, match=r'"vamp" .*bottleneck "gaussian"'):
        prior_of("vamp", PLAIN)(None, lambda x: Code(x.flatten(1)[:, :2]))


@pytest.mark.parametrize(("d", "width"), [(1, 0), (1, 3), (2, 0), (5, 3)])
def test_flow_bends_codes_of_any_size_and_can_be_copied(d, width):
    prior = prior_of("flow", Sizes((8, 8), (d,), context=width), hidden=(16,))
    context = torch.eye(3)[:1] if width else None
    z = torch.randn(4, 1, d)
    expected = prior(context, encode).log_prob(z)
    torch.testing.assert_close(copy.deepcopy(prior)(context, encode).log_prob(z), expected)
    other = Flow(Sizes((8, 8), (d,), context=width), hidden=(16,))
    other.load_state_dict(prior.state_dict())
    torch.testing.assert_close(other(context, encode).log_prob(z), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(prior(context, encode).log_prob(z), expected)
    assert prior.double()(None, encode).log_prob(z.double()).dtype == torch.float64


def test_flow_and_its_draws_learn():
    prior = prior_of("flow", PLAIN, hidden=(16,))
    p = prior(None, encode)
    p.log_prob(p.rsample((50,))).sum().backward()
    assert all(parameter.grad is not None for parameter in prior.parameters())


def test_flow_is_counted_on_meta_without_using_up_randomness():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    with torch.device("meta"):
        prior = Flow(PLAIN)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.device.type == "meta" for p in prior.parameters())
    assert sum(p.numel() for p in prior.parameters()) == sum(
        p.numel() for p in Flow(PLAIN).parameters()
    )


def test_flow_refuses_codes_that_are_no_vectors():
    with pytest.raises(RecipeError, match="vectors"):
        Flow(Sizes((8, 8), (4, 2, 2)))


@pytest.mark.slow  # processes of their own
def test_models_without_a_flow_do_not_import_one():
    code = (
        "import sys; from autoencode.parts import PRIORS; from autoencode.contract import Sizes\n"
        "PRIORS['mixture'](Sizes((8, 8), (2,)))\n"
        "sys.exit('imported zuko' if 'zuko' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("prior", "bottleneck"),
    [
        (Spec("uniform"), Spec("bounded")),
        (Spec("sphere-uniform"), Spec("sphere")),
        (Spec("mixture", {"components": 4}), Spec("gaussian")),
        (Spec("vamp", {"components": 6}), Spec("gaussian")),
        (Spec("vamp", {"components": 6}), Spec("planar", {"steps": 2})),
        (Spec("flow"), Spec("gaussian")),
        (Spec("flow"), Spec("inverse-autoregressive")),
    ],
)
def test_every_parameter_learns_from_the_bound(prior, bottleneck):
    recipe = Recipe(
        prior=prior,
        bottleneck=bottleneck,
        likelihood=Spec("bernoulli"),
        terms={"reconstruction": Weighted("reconstruction"), "kl": Weighted("kl")},
    )
    model = build(recipe, PLAIN, seed=0)
    torch.manual_seed(0)
    p = model.forward_pass(torch.rand(30, 8, 8))
    loss = -p.px.log_prob(p.x) + p.code.q.log_prob(p.code.z) - p.pz.log_prob(p.code.z)
    loss.mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name
        assert torch.isfinite(parameter.grad).all(), name
    again = build(recipe, PLAIN, seed=0).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in model.state_dict().items())


def test_parts_keep_their_arguments():
    assert NormalMixture(PLAIN, components=3, spread=2.0).spread == 2.0
    assert Vamp(PLAIN, components=3).components == 3
    assert Flow(PLAIN, transforms=2).transforms == 2


@pytest.mark.long
def test_a_fitted_mixture_is_the_clusters_of_the_codes():
    torch.manual_seed(0)
    means = torch.tensor([[-8.0, 0.0], [0.0, 8.0], [8.0, -3.0]])
    scales = torch.tensor([[1.0, 0.3], [0.5, 0.5], [0.2, 1.0]])
    cluster = torch.arange(600) % 4 % 3  # the first has half of the codes
    z = means[cluster] + scales[cluster] * torch.randn(600, 2)
    prior = NormalMixture(PLAIN, components=3)
    prior.fit(z, seed=0)
    order = prior.means[:, 0].argsort()
    torch.testing.assert_close(prior.means[order], means, atol=0.15, rtol=0)
    torch.testing.assert_close(prior.log_scales[order].exp(), scales, atol=0.1, rtol=0)
    shares = torch.bincount(cluster) / 600
    torch.testing.assert_close(prior.log_weights[order].softmax(0), shares)
    assert (prior.responsibilities(z)[:, order].argmax(-1) == cluster).float().mean() > 0.99


def test_a_mixture_is_not_fitted_to_a_handful():
    with pytest.raises(DataError, match="components"):
        NormalMixture(PLAIN, components=5).fit(torch.randn(20, 2), seed=0)

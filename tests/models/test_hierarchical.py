"""The hierarchical VAE of images against integrals over a plane, Monte Carlo and its own parts."""

import copy
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from autoencode.contract import Sizes
from autoencode.errors import RecipeError
from autoencode.models.build import build, sizes_for
from autoencode.models.objective import Objective
from autoencode.models.recipe import Spec
from autoencode.models.recipes.table import RECIPES

SHAPES = [(28, 28), (3, 32, 32), (1, 9, 13), (4, 8, 24)]


def small(**changes):
    """The recipe with narrow layers; `changes` by dotted names with __ for the dot."""
    recipe = RECIPES["hierarchical-vae"].but(latent=2)
    sets = {"network.width": 4, "network.blocks": 1, "likelihood": "bernoulli"}
    for address, value in (sets | {k.replace("__", "."): v for k, v in changes.items()}).items():
        recipe = recipe.set(address, value)
    return recipe


def model(x=(3, 8, 8), seed=0, **changes):
    recipe = small(**changes)
    return build(recipe, sizes_for(recipe, x), seed=seed).eval()


@pytest.fixture
def tiny():
    """Two levels of one number each for an image of one pixel, in double."""
    m = model((1, 1), latent=1, network__stages=1, network__blocks=2, network__norm="none")
    assert m.encoder.bottleneck.shared[0].levels == (1, 1)
    m = m.double()
    with torch.no_grad():  # steeper than at its start, so that the levels depend on each other
        for name, parameter in m.named_parameters():
            parameter.mul_(8.0 if "head.weight" in name else 1.5)
    return m


@pytest.fixture
def plane():
    """Codes [N, 2] on a square, and ln of the area around each."""
    line = torch.linspace(-12, 12, 201, dtype=torch.float64)
    return torch.cartesian_prod(line, line), 2 * math.log(24 / 200)


def test_densities_integrate_to_one_and_match_their_draws(tiny, plane):
    z, area = plane
    x = torch.tensor([[[0.8]]], dtype=torch.float64)
    torch.manual_seed(0)
    with torch.no_grad():
        for distribution in (tiny.prior(), tiny.encode(x).q):
            nats = distribution.log_prob(z.reshape(-1, *distribution.batch_shape, 2)).flatten()
            mass = (nats + area).exp()
            assert mass.sum().item() == pytest.approx(1, abs=1e-6)
            draws = distribution.sample((20_000,)).reshape(-1, 2)
            mean = (mass[:, None] * z).sum(0)
            torch.testing.assert_close(draws.mean(0), mean, atol=0.05, rtol=0)
            second = (mass[:, None, None] * z[:, :, None] * z[:, None]).sum(0)
            torch.testing.assert_close(draws.T @ draws / len(draws), second, atol=0.1, rtol=0.05)


@pytest.mark.long
def test_bound_and_importance_weights_against_the_integral(tiny, plane):
    z, area = plane
    x = torch.tensor([[[0.0]], [[1.0]]], dtype=torch.float64)
    with torch.no_grad():
        codes = z[:, None].expand(-1, 2, 2)
        joint = tiny.decode(codes).log_prob(x) + tiny.prior().log_prob(codes)
        exact = (joint + area).logsumexp(0)
        # The probabilities of the two values of the pixel.
        torch.testing.assert_close(exact.exp().sum().item(), 1.0, atol=1e-6, rtol=0)
        torch.manual_seed(0)
        code = tiny.encode(x, samples=20_000)
        ratio = tiny.prior().log_prob(code.z) - code.q.log_prob(code.z)
        px = tiny.decode(code.z).log_prob(x)
        estimate = (px + ratio).logsumexp(0) - math.log(20_000)
    torch.testing.assert_close(estimate, exact, atol=0.05, rtol=0)
    assert (px.mean(0) - code.costs["kl"] < exact).all()


@pytest.mark.parametrize("x", SHAPES)
def test_the_kl_in_closed_form_is_the_mean_of_the_draws(x):
    m = model(x)
    with torch.no_grad():
        torch.manual_seed(0)
        code = m.encode(torch.rand(2, *x), samples=300)
        ratio = code.q.log_prob(code.z) - m.prior().log_prob(code.z)
    error = 4 * ratio.std(0) / math.sqrt(300)
    assert ((code.costs["kl"] - ratio.mean(0)).abs() < error).all()
    assert (code.costs["kl"] > 0.1).all()


@pytest.mark.parametrize("x", SHAPES)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_training_pass_decodes_as_the_decoder(x, samples):
    m = model(x, samples=samples).train()
    p = m.forward_pass(torch.rand(4, *x))
    assert p.code.z.shape == (samples, 4, *m.sizes.z)
    torch.testing.assert_close(p.px.mean, m.decode(p.code.z).mean, atol=1e-5, rtol=1e-5)
    assert Objective(m, m.recipe, m.sizes)(torch.rand(4, *x)).loss.isfinite()


def test_levels_go_from_coarse_to_fine():
    m = model((28, 28), network__stages=3, network__blocks=2)
    assert m.decoder.network.down.levels == (2 * 16,) * 2 + (2 * 49,) * 2 + (2 * 196,) * 2
    z = m.prior().sample((1,))
    changed = z.clone()
    changed[:, -1] += 3  # one number of the finest level, at the last position
    difference = (m.decoder(changed) - m.decoder(z)).abs()[0]
    assert difference[-2:, -2:].max() > 0
    changed = z.clone()
    changed[:, :32] += 3  # the coarsest level
    assert ((m.decoder(changed) - m.decoder(z)).abs()[0] > 0).all()


def test_a_level_is_the_posterior_given_the_levels_above():
    m = model((8, 8))
    x = torch.rand(3, 8, 8)
    down, evidence = m.encoder.bottleneck.shared[0], m.encode(x).q.bottom_up
    z = torch.randn(3, *m.sizes.z)
    parts = torch.split(z, list(down.levels), 1)
    levels = down(evidence, (3,), lambda level, moments: parts[level])
    by_hand = sum(q.normal().log_prob(c) for c, q, _ in levels)
    torch.testing.assert_close(m.encode(x).q.log_prob(z), by_hand)
    kl = sum(
        kl_divergence(*(Normal(n.mean, n.log_variance.div(2).exp()) for n in (q, p))).sum(1)
        for _, q, p in levels
    )
    assert (kl > 0).all()
    # The prior of the first level does not depend on the code.
    other = down(None, (3,), lambda level, moments: moments.mean)
    torch.testing.assert_close(other[0].p.mean, levels[0].p.mean)


def test_weights_are_saved_once_and_copies_work_alone():
    m = model()
    places = [tensor.data_ptr() for tensor in m.state_dict().values()]
    assert len(set(places)) == len(places)
    x = torch.rand(3, 3, 8, 8)
    encoder = copy.deepcopy(m.encoder)
    torch.testing.assert_close(encoder(x), m.encoder(x), rtol=0, atol=0)
    twin = model(seed=4)
    assert not torch.allclose(twin(x).images, m(x).images)
    twin.load_state_dict(m.state_dict())
    torch.testing.assert_close(twin(x).images, m(x).images, rtol=0, atol=0)


@pytest.mark.long
def test_learns_to_reconstruct_and_uses_its_levels():
    torch.manual_seed(0)
    m = model((8, 8), network__stages=2, network__width=8).train()
    # An edge at a random position.
    x = (torch.arange(8) < torch.randint(1, 8, (64, 1, 1))).float().expand(64, 8, 8)
    objective = Objective(m, m.recipe, m.sizes)
    optimizer = torch.optim.Adam(m.parameters(), 1e-2)
    losses = []
    for _ in range(50):
        output = objective(x)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert output.terms["kl"] > 1


@pytest.mark.parametrize("kind", ["bernoulli", "discretised-logistic"])
def test_codes_and_kl_are_in_float32_under_bf16(kind):
    m = model((8, 8), likelihood=kind, network__norm="layer").train()
    x = (torch.rand(6, 8, 8) * 255).round() / 255
    found = []
    for enabled in (False, True):
        torch.manual_seed(3)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            p = m.forward_pass(x)
            found.append((p.code.costs["kl"], p.px.log_prob(x)))
        assert p.code.z.dtype == p.code.costs["kl"].dtype == torch.float32
    torch.testing.assert_close(*(each[0] for each in found), rtol=0.1, atol=0.5)
    torch.testing.assert_close(*(each[1] for each in found), rtol=0.05, atol=1.0)


@pytest.mark.parametrize(
    ("changes", "x", "match"),
    [
        ({"network": "conv"}, (8, 8), "network=resnet"),
        ({"network": "mlp"}, (8, 8), "network=resnet"),
        ({}, (20,), "images"),
        ({"bottleneck": "point"}, (8, 8), "posterior"),
        ({"bottleneck": "planar"}, (8, 8), "bottleneck=gaussian"),
        ({"prior": "flow"}, (8, 8), "prior=normal"),
        ({"context": "labels"}, (8, 8), "context=none"),
    ],
)
def test_refusals(changes, x, match):
    recipe = RECIPES["hierarchical-vae"]
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    with pytest.raises(RecipeError, match=match):
        build(recipe, sizes_for(recipe, x, context=3 if recipe.context else 0), seed=0)


def test_a_code_of_another_size_is_refused():
    recipe = small().but(network=Spec("resnet", {"width": 4}))
    with pytest.raises(RecipeError, match="sizes_for"):
        build(recipe, Sizes((8, 8), (2,)), seed=0)

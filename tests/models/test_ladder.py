"""The ladder VAE against a handwritten twin, the one-layer VAE, grids of codes and Monte Carlo."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from autoencode.contract import Autoencoder, Sizes
from autoencode.errors import DataError, RecipeError
from autoencode.models.hierarchy import Moments
from autoencode.models.ladder import ladder
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe, Spec, Weighted

SHAPES = [(20,), (8, 8), (3, 8, 8)]


def model(x=(8, 8), levels=(3, 2), seed=0, context=0, network=None, changes=(), **args):
    recipe = Recipe(
        network=network or Spec("mlp", {"hidden": (16,)}),
        bottleneck=Spec("gaussian"),
        likelihood=Spec("bernoulli"),
        prior=Spec("normal"),
        terms={"reconstruction": Weighted("reconstruction"), "kl": Weighted("kl")},
    ).but(**dict(changes))
    torch.manual_seed(seed)
    sizes = Sizes(x, (sum(levels),), context=context, n=100)
    return ladder(recipe, sizes, levels, **{"hidden": (12,), **args})


def judge(m, x, context=None, seed=1):
    torch.manual_seed(seed)
    return Objective(m, m.recipe, m.sizes)(x, context)


class TwinLadder(nn.Module):
    """Two levels, 3 and 2 numbers, of 64 pixels, as one would write them down."""

    def __init__(self):
        super().__init__()
        self.enc1, self.enc2 = nn.Linear(64, 16), nn.Linear(16, 12)
        self.up = nn.Linear(12, 12)
        self.head1, self.head2 = nn.Linear(12, 6), nn.Linear(12, 4)
        self.down, self.prior1 = nn.Linear(2, 12), nn.Linear(12, 6)
        self.dec1, self.dec2 = nn.Linear(3, 16), nn.Linear(16, 64)

    def forward(self, x):
        x = x.flatten(1)
        d1 = self.enc2(self.enc1(x).relu()).relu()
        d2 = self.up(d1).relu()
        m1, v1 = self.head1(d1).chunk(2, 1)
        m2, v2 = self.head2(d2).chunk(2, 1)
        v1, v2 = v1.exp(), v2.exp()
        q2 = Normal(m2, v2.sqrt())
        z2 = m2 + v2.sqrt() * torch.randn(len(x), 2, dtype=x.dtype)
        mp, vp = self.prior1(self.down(z2).relu()).chunk(2, 1)
        vp = vp.exp()
        variance = 1 / (1 / v1 + 1 / vp)
        mean = variance * (m1 / v1 + mp / vp)
        q1 = Normal(mean, variance.sqrt())
        z1 = mean + variance.sqrt() * torch.randn(len(x), 3, dtype=x.dtype)
        logits = self.dec2(self.dec1(z1).relu())
        missed = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        top = kl_divergence(q2, Normal(torch.zeros_like(m2), torch.ones_like(m2))).sum(1)
        return (missed + top + kl_divergence(q1, Normal(mp, vp.sqrt())).sum(1)).mean()


def test_equals_its_twin_in_loss_and_gradients():
    ours, twin = model(activation="relu", norm="none").double(), TwinLadder().double()
    pairs = list(zip(twin.parameters(), ours.parameters(), strict=True))
    with torch.no_grad():
        for theirs, mine in pairs:
            theirs.copy_(mine)
    x = torch.rand(6, 8, 8, dtype=torch.float64)
    loss = judge(ours, x, seed=7).loss
    loss.backward()
    torch.manual_seed(7)
    expected = twin(x)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for theirs, mine in pairs:
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-6, atol=1e-9)


def test_one_level_is_a_vae():
    m = model(levels=(4,), norm="none")
    x = torch.rand(5, 8, 8)
    code = m.encode(x)
    (seen,) = code.q.bottom_up
    mean, log_variance = seen
    textbook = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    torch.testing.assert_close(judge(m, x).terms["kl"], textbook.mean())
    torch.testing.assert_close(code.z, mean)
    z = torch.randn(7, 5, 4)
    by_hand = Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(code.q.log_prob(z), by_hand)
    torch.testing.assert_close(m.prior().log_prob(z), Normal(0, 1).log_prob(z).sum(-1))


def test_merged_normals_are_the_product_of_both():
    first = Moments(torch.tensor([0.5, -2.0, 30.0]), torch.tensor([0.3, -1.0, -30.0]))
    second = Moments(torch.tensor([-1.0, 1.0, -5.0]), torch.tensor([-0.5, 2.0, 20.0]))
    mean, log_variance = first.times(second)
    grid = torch.linspace(-12, 12, 20_001)
    for i in range(2):
        density = sum(
            Normal(m.mean[i], (0.5 * m.log_variance[i]).exp()).log_prob(grid)
            for m in (first, second)
        ).softmax(0)
        centre = (density * grid).sum()
        torch.testing.assert_close(mean[i], centre, atol=1e-4, rtol=0)
        spread = (density * (grid - centre).square()).sum()
        torch.testing.assert_close(log_variance[i].exp(), spread, atol=1e-4, rtol=1e-3)
    # Where one is certain, it has the word.
    torch.testing.assert_close(mean[2], first.mean[2])
    torch.testing.assert_close(log_variance[2], first.log_variance[2])


@pytest.fixture
def tiny():
    """Two levels of one number each and four pixels, in double: all integrals lie on a plane."""
    m = model((4,), (1, 1), norm="none").double()
    with torch.no_grad():  # steeper than at its start, so that the levels depend on each other
        for parameter in m.encoder.parameters():
            parameter.mul_(2.0)
    return m.eval()


@pytest.fixture
def plane():
    """Codes [N, 2] on a square, and ln of the area around each."""
    line = torch.linspace(-14, 14, 401, dtype=torch.float64)
    return torch.cartesian_prod(line, line), 2 * math.log(28 / 400)


def test_densities_integrate_to_one_and_match_their_draws(tiny, plane):
    z, area = plane
    x = torch.tensor([[0.0, 1, 1, 0]], dtype=torch.float64)
    torch.manual_seed(0)
    with torch.no_grad():
        for distribution in (tiny.prior(), tiny.encode(x).q):
            nats = distribution.log_prob(z.reshape(-1, *distribution.batch_shape, 2)).flatten()
            mass = (nats + area).exp()
            assert mass.sum().item() == pytest.approx(1, abs=1e-6)
            draws = distribution.sample((100_000,)).reshape(-1, 2)
            mean = (mass[:, None] * z).sum(0)
            torch.testing.assert_close(draws.mean(0), mean, atol=0.02, rtol=0)
            second = (mass[:, None, None] * z[:, :, None] * z[:, None]).sum(0)
            torch.testing.assert_close(draws.T @ draws / len(draws), second, atol=0.05, rtol=0.03)


def test_bound_and_importance_weights_against_the_integral(tiny, plane):
    z, area = plane
    x = torch.tensor([[0.0, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.float64)
    with torch.no_grad():
        codes = z[:, None].expand(-1, 2, 2)
        joint = tiny.decode(codes).log_prob(x) + tiny.prior().log_prob(codes)
        exact = (joint + area).logsumexp(0)
        torch.manual_seed(0)
        code = tiny.encode(x, samples=20_000)
        px = tiny.decode(code.z).log_prob(x)
        ratio = tiny.prior().log_prob(code.z) - code.q.log_prob(code.z)
        estimate = (px + ratio).logsumexp(0) - math.log(20_000)
        bound = px.mean(0) - code.costs["kl"]
    torch.testing.assert_close(estimate, exact, atol=0.02, rtol=0)
    assert (bound < exact).all()
    assert (bound > exact - 2).all()
    # The rate in closed form level by level is the mean of what the draws estimate.
    error = 4 * ratio.std(0) / math.sqrt(20_000)
    assert ((code.costs["kl"] + ratio.mean(0)).abs() < error + 1e-3).all()


@pytest.mark.parametrize("x", SHAPES)
@pytest.mark.parametrize("levels", [(4,), (3, 2), (4, 2, 1)])
def test_keeps_the_contract(x, levels):
    m = model(x, levels).eval()
    d = sum(levels)
    assert isinstance(m, Autoencoder)
    images = torch.rand(5, *x)
    codes, restored = m(images)
    assert codes.shape == (5, d)
    assert restored.shape == images.shape
    torch.testing.assert_close(m.encoder(images), codes)
    torch.testing.assert_close(m.encode(images).z, m.encode(images).z, rtol=0, atol=0)
    torch.testing.assert_close(m.decode(codes).mean, restored)
    drawn = m.encode(images, samples=4)
    assert drawn.z.shape == (4, 5, d)
    assert drawn.q.batch_shape == (5,)
    assert drawn.q.log_prob(drawn.z).shape == (4, 5)
    assert m.decode(drawn.z).batch_shape == (4, 5)
    assert m.decode(drawn.z).event_shape == x
    assert drawn.q.rsample((4,)).shape == (4, 5, d)
    assert m.prior().sample((2, 7)).shape == (2, 7, d)
    assert m.prior().log_prob(m.sampler().sample((7,))).shape == (7,)
    assert not m.encode(images).z.requires_grad
    assert m.train().encode(images).z.requires_grad


@pytest.mark.parametrize("x", SHAPES)
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_gradients_reach_every_parameter(x, norm):
    m = model(x, (4, 2, 1), norm=norm, changes={"samples": 3}.items())
    output = judge(m, torch.rand(30, *x))
    output.loss.backward()
    for name, parameter in m.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert output.forward_pass.code.costs["kl"].shape == (30,)


def test_convolutions_and_labels():
    m = model((8, 8), context=3, network=Spec("conv", {"width": 2, "hidden": (8,)})).eval()
    x, context = torch.rand(4, 8, 8), torch.eye(3)[[0, 1, 2, 0]]
    assert not torch.allclose(m.encoder(x, context), m.encoder(x, context.flip(1)))
    z = torch.randn(6, 4, 5)
    assert m.decode(z, context).batch_shape == (6, 4)
    assert not torch.allclose(m.decoder(z, context), m.decoder(z, context.flip(1)))


def test_images_come_of_the_lowest_level():
    m = model(levels=(3, 2)).eval()
    z = torch.randn(4, 5)
    upper, lower = z.clone(), z.clone()
    upper[:, 3:] += 1
    lower[:, :3] += 1
    torch.testing.assert_close(m.decoder(z), m.decoder(upper), rtol=0, atol=0)
    assert not torch.allclose(m.decoder(z), m.decoder(lower))


def test_weights_are_saved_once_and_restored():
    first, second = model().eval(), model(seed=5).eval()
    state = first.state_dict()
    places = [tensor.data_ptr() for tensor in state.values()]
    assert len(set(places)) == len(places)
    x, z = torch.rand(3, 8, 8), torch.randn(3, 5)
    second.load_state_dict(state)
    torch.testing.assert_close(first(x).images, second(x).images, rtol=0, atol=0)
    torch.testing.assert_close(first.prior().log_prob(z), second.prior().log_prob(z))


def test_levels_are_chosen_for_the_code():
    def levels(d):
        recipe = model().recipe
        return ladder(recipe, Sizes((8, 8), (d,))).encoder.bottleneck.down.levels

    assert [levels(d) for d in (1, 2, 3, 48)] == [(1,), (1, 1), (2, 1), (32, 16)]


def test_refusals():
    recipe = model().recipe
    with pytest.raises(RecipeError, match="--latent 18"):
        ladder(recipe, Sizes((8, 8), (2,)), (16, 2))
    with pytest.raises(RecipeError, match="levels"):
        ladder(recipe, Sizes((8, 8), (2,)), ())
    for slot, changes in (
        ("prior", {"prior": None}),
        ("bottleneck", {"bottleneck": Spec("point")}),
    ):
        with pytest.raises(RecipeError, match=slot):
            model(changes=changes.items())
    with pytest.raises(DataError, match=r"\(5,\)"):
        model().decoder(torch.rand(2, 3))
    with pytest.raises(DataError, match=r"\(8, 8\)"):
        model().encoder(torch.rand(2, 9, 9))

"""Sparse codes for vectors: the dictionary, learned thresholds and gates, and their terms."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from autoencode.contract import Code, ForwardPass, Sizes
from autoencode.errors import RecipeError
from autoencode.maths import tracing
from autoencode.models.build import build
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.bottlenecks.gates import Gated, JumpReLU
from autoencode.parts.networks.dictionary import Dictionary
from autoencode.parts.terms.dictionary import L0, AuxK, GatedLoss, Matryoshka

D, LATENT = 6, 10
SIZES = Sizes((D,), (LATENT,), n=100)
IDENTITY = Spec("gaussian", {"mean": "identity"})


def model(bottleneck="top-k", latent=LATENT, **changes):
    args = {"k": 3, "norm": "none"} if "top-k" in bottleneck else {}
    recipe = Recipe(
        latent=latent,
        network=Spec("dictionary"),
        bottleneck=Spec(bottleneck, args),
        likelihood=IDENTITY,
        **changes,
    )
    return build(recipe, Sizes((D,), (latent,), n=100), seed=0).double()


def rows(n=12, d=D, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pass_of(net, x):
    return net.train().forward_pass(x)


# Jump ReLU


def started(latent=4, k=2, bandwidth=0.4):
    part = JumpReLU(Sizes((D,), (latent,)), k=k, bandwidth=bandwidth).double()
    part.started.fill_(True)
    part.log_threshold.data.copy_(torch.linspace(-1, 0.3, latent))
    return part


def test_jump_relu_keeps_what_is_above_the_threshold_of_its_dimension():
    part, h = started(), rows(50, 4)
    threshold = part.log_threshold.exp()
    for mode in (True, False):
        code = part.train(mode)(h)
        expected = [[v if v > t else 0.0 for v, t in zip(r, threshold, strict=True)] for r in h]
        torch.testing.assert_close(code.z, torch.tensor(expected, dtype=torch.float64))
        torch.testing.assert_close(code.active * 2, (code.z != 0).double().sum(1))


def test_the_gradient_of_thresholds_is_that_of_the_paper():
    """−θ K / ε for z and −K / ε for the count, with the rectangle K, summed by hand."""
    part, h = started(), rows(300, 4)
    weights = rows(300, 4, seed=1)
    code = part(h)
    of_z, of_count = (
        torch.autograd.grad(loss, part.log_threshold, retain_graph=True)[0]
        for loss in ((code.z * weights).sum(), code.active.sum())
    )
    for j, log_threshold in enumerate(part.log_threshold.tolist()):
        theta = np.exp(log_threshold)
        width = 0.4 * theta
        z_sum = count_sum = 0.0
        for value, weight in zip(h[:, j].tolist(), weights[:, j].tolist(), strict=True):
            kernel = 1.0 if abs(value - theta) < width / 2 else 0.0
            z_sum += weight * -theta * kernel / width
            count_sum += -kernel / width / 2  # of the count divided by k = 2
        # The parameter is ln θ: dθ / d ln θ = θ.
        assert of_z[j].item() == pytest.approx(z_sum * theta, rel=1e-9, abs=1e-12)
        assert of_count[j].item() == pytest.approx(count_sum * theta, rel=1e-9, abs=1e-12)


def test_the_gradient_estimates_the_slope_of_the_mean_over_examples():
    """Finite differences of the mean over many examples, which changes smoothly with θ."""
    h = rows(200_000, 2)
    part = started(2, k=1, bandwidth=0.2)

    def mean(shift):
        part.log_threshold.data.add_(shift)
        code = part(h)
        part.log_threshold.data.sub_(shift)
        return (code.z.sin()).mean(0) + code.z.square().mean(0), (code.z != 0).double().mean(0)

    code = part(h)
    loss = (code.z.sin() + code.z.square()).mean(0).sum()
    # The estimator takes the slope of the loss at z, which is exact for losses linear in z only.
    (slope,) = torch.autograd.grad(code.active.mean(), part.log_threshold, retain_graph=True)
    (_, above), (_, below) = mean(0.05), mean(-0.05)
    torch.testing.assert_close(slope, (above - below) / 0.1, rtol=0.05, atol=0)
    (slope,) = torch.autograd.grad(code.z.mean(0).sum(), part.log_threshold, retain_graph=True)
    part.log_threshold.data.add_(0.05)
    above = part(h).z.mean(0)
    part.log_threshold.data.sub_(0.1)
    torch.testing.assert_close(slope, (above - part(h).z.mean(0)).detach() / 0.1, rtol=0.05, atol=0)
    assert loss.isfinite()


@pytest.mark.parametrize(("latent", "k"), [(10, 1), (40, 3), (200, 5), (7, 7)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0])
def test_thresholds_start_where_k_dimensions_are_active(latent, k, scale):
    part = JumpReLU(Sizes((D,), (latent,)), k=k).double()
    h = scale * rows(64, latent).abs()
    active = (part(h).z != 0).double().sum(1).mean().item()
    # One less in the batch, because the smallest is the threshold itself.
    assert active == pytest.approx(k, abs=1.5 / 64)
    before = part.log_threshold.clone()
    part(100 * h)
    assert torch.equal(part.log_threshold, before)


def test_evaluation_starts_no_threshold():
    part = JumpReLU(SIZES, k=2).double().eval()
    part(rows(5, LATENT))
    assert not part.started
    assert (part.log_threshold == 0).all()


# Gates


def test_gated_by_hand():
    part, h = Gated(Sizes((D,), (4,))).double(), rows(30, 4)
    part.log_gain.data.copy_(torch.tensor([-1.0, 0.0, 0.5, 2.0]))
    part.offset.data.copy_(torch.tensor([0.3, -0.4, 0.0, 0.2]))
    z = part(h).z
    for i in range(30):
        for j in range(4):
            size = np.exp(part.log_gain[j].item()) * h[i, j].item() + part.offset[j].item()
            assert z[i, j].item() == pytest.approx(max(size, 0) if h[i, j] > 0 else 0)
    torch.testing.assert_close(part(h).active * part.k, (h > 0).double().sum(1))


def test_the_loss_of_gates_by_hand_and_without_a_gradient_in_the_decoder():
    net, x = model("gated"), rows()
    term = GatedLoss(SIZES, rate=0.0, sparsity=0.25).double()
    p = pass_of(net, x)
    value = term(p)
    h = net.encoder.network(x).relu()
    images = (
        h / net.decoder.network.weight.detach().norm(dim=1) @ net.decoder.network.weight.detach()
    )
    spread = (x - x.mean(0)).square().sum() / len(x)
    expected = (x - images).square().sum(1) + 0.25 * h.sum(1) * spread
    torch.testing.assert_close(value, expected)
    wanted = torch.autograd.grad(expected.sum(), net.encoder.parameters(), allow_unused=True)
    found = torch.autograd.grad(value.sum(), net.encoder.parameters(), allow_unused=True)
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)
    value = term(pass_of(net, x))
    decoder = torch.autograd.grad(value.sum(), net.decoder.parameters(), allow_unused=True)
    assert all(each is None for each in decoder)


@pytest.mark.parametrize(("active", "sign"), [(1, -1), (3, 0), (9, 1)])
def test_the_penalty_of_gates_follows_the_number_of_active_dimensions(active, sign):
    net, x = model("gated"), rows()
    term = GatedLoss(SIZES, rate=0.5).double()
    h = torch.zeros(len(x), LATENT, dtype=torch.float64)
    h[:, :active] = 1.0
    p = pass_of(net, x)
    code = Code(h, features=h, active=torch.full((len(x),), active / 3))
    p = ForwardPass(x, x, None, code, p.px, None, net)
    before = term.log_sparsity.item()
    term(p)
    change = term.log_sparsity.item() - before
    assert change == pytest.approx(0.5 * np.clip(np.log(active / 3), -1, 1), abs=1e-6)
    assert np.sign(round(change, 9)) == sign
    term.eval()(p)
    assert term.log_sparsity.item() - before == pytest.approx(change)


# Terms


def test_dead_units_are_counted_in_examples():
    term = AuxK(Sizes((D,), (4,)), after=3.0)
    # One of four units is active, so that an average unit is active once in four examples.
    first = torch.eye(4)[:1].repeat(5, 1).bool()
    for n, dead in ((1, 0), (2, 0), (3, 3)):
        assert int(term.dead(first).sum()) == dead, n
        assert term.idle.tolist() == [0, 5 * n, 5 * n, 5 * n]
    second = torch.eye(4)[1:2].repeat(5, 1).bool()
    assert term.dead(second).tolist() == [False, False, True, True]
    assert term.idle.tolist() == [5, 0, 20, 20]
    assert term.eval().dead(second).tolist() == [False, False, True, True]
    assert term.idle.tolist() == [5, 0, 20, 20]


def with_dead(term, dead):
    """The term, as if these units had been inactive for ever."""
    term.idle[dead] = 1e9
    return term


@pytest.mark.parametrize("bottleneck", ["top-k", "batch-top-k", "jump-relu", "gated"])
def test_the_auxiliary_loss_by_hand(bottleneck):
    net, x = model(bottleneck), rows()
    if bottleneck == "jump-relu":
        net.encoder.bottleneck.k = 3
    net.train()
    net.forward_pass(x)
    net.decoder.network.bias.data.copy_(rows(1, seed=3)[0])
    dead = [1, 4, 7]
    net.encoder.network.bias.data[dead] -= 100  # no example activates them
    p = pass_of(net, x)
    assert (p.code.z[:, dead] == 0).all()
    h = torch.zeros_like(p.code.features)
    h[:, dead] = rows(len(x), 3, seed=5).abs().add(0.1)
    h.requires_grad_()
    p = ForwardPass(p.x, p.inputs, None, Code(p.code.z, features=h), p.px, None, net)
    term = with_dead(AuxK(SIZES, k=2), dead)
    value = term(p)
    directions = functional.normalize(net.decoder.network.weight.detach(), dim=1)
    for i, found in enumerate(value.tolist()):
        error = (x[i] - p.px.mean[i]).detach()
        best = sorted(dead, key=lambda j: -h[i, j].item())[:2]
        guess = sum(h[i, j].detach() * directions[j] for j in best)
        assert found == pytest.approx((error - guess).square().sum().item(), rel=1e-5)
    parameters = [
        h,
        net.decoder.network.weight,
        net.decoder.network.bias,
        net.encoder.network.weight,
    ]
    of_h, of_w, of_b, of_e = torch.autograd.grad(value.sum(), parameters, allow_unused=True)
    alive = [j for j in range(LATENT) if j not in dead]
    assert of_h[:, alive].abs().max() == 0 < of_h[:, dead].abs().max()
    assert of_w[alive].abs().max() == 0 < of_w[dead].abs().min()
    assert of_b.abs().max() < 1e-9
    assert of_e is None


def test_without_dead_units_the_auxiliary_loss_is_0():
    net, x = model(), rows()
    term = AuxK(SIZES, after=1e9)
    assert (term(pass_of(net, x)) == 0).all()


def test_the_auxiliary_loss_revives_a_dead_unit():
    """A unit far below all others gets a gradient only by the term, and comes back."""

    def active(**terms):
        net = model("top-k", terms={"reconstruction": Weighted("reconstruction"), **terms})
        net.encoder.bottleneck.k = 1
        net.encoder.network.bias.data[5] = -0.6 / net.encoder.network.gain
        objective = Objective(net, net.recipe, net.sizes).train()
        optimizer = torch.optim.Adam(objective.parameters(), 2e-3)
        for step in range(150):
            optimizer.zero_grad()
            objective(functional.normalize(rows(64, seed=step), dim=1)).loss.backward()
            optimizer.step()
        x = functional.normalize(rows(500, seed=1_000), dim=1)
        return (net.eval().encode(x).z[:, 5] != 0).double().mean().item()

    assert active() == 0
    assert active(aux=Weighted("aux-k", {"k": 3, "after": 5.0})) > 0.03


@pytest.mark.parametrize("prefixes", [1, 2, 3, 9])
def test_prefixes_reconstruct_alone(prefixes):
    net, x = model(), rows()
    p = pass_of(net, x)
    value = Matryoshka(SIZES, prefixes)(p)
    expected = torch.zeros(len(x), dtype=torch.float64)
    for length in [5, 2, 1][:prefixes]:
        z = p.code.z.clone()
        z[:, length:] = 0
        expected -= net.decode(z).log_prob(x)
    torch.testing.assert_close(value, expected)


def test_l0_by_hand():
    x, active = rows(9), torch.tensor([1.0, 0.5, 3.0])
    code = Code(torch.zeros(9, LATENT), active=active)
    value = L0(SIZES)(ForwardPass(x, x, None, code, None, None, None))
    spread = np.square(x.numpy() - x.numpy().mean(0)).sum() / 9
    assert value.item() == pytest.approx(spread * (1.5 - 1) ** 2)


@pytest.mark.parametrize(
    ("term", "bottleneck", "match"),
    [
        ("aux-k", "point", "sparse bottleneck"),
        ("aux-k", "rectified", "sparse bottleneck"),
        ("gated", "gaussian", "sparse bottleneck"),
        ("gated", "batch-top-k", "gates or learned thresholds"),
        ("l0", "top-k", "gates or learned thresholds"),
        ("l0", "gated", "learned thresholds"),
        ("l0", "vq", "learned thresholds"),
    ],
)
def test_terms_say_which_bottleneck_they_need(term, bottleneck, match):
    recipe = RECIPES["ae"].set("bottleneck", bottleneck).set(f"terms.{term}", term)
    with pytest.raises(RecipeError, match=match) as refusal:
        build(recipe, SIZES, seed=0)
    assert f"--set terms.{term}=none" in refusal.value.fix
    build(recipe.set(f"terms.{term}", None), SIZES, seed=0)


# The dictionary


def test_directions_have_norm_1_and_no_gradient_along_themselves():
    net, x = model(), rows()
    decoder = net.decoder.network
    decoder.weight.data.mul_(torch.linspace(0.1, 30, LATENT)[:, None])
    torch.testing.assert_close(
        decoder.directions.norm(dim=1), torch.ones(LATENT, dtype=torch.float64)
    )
    code = pass_of(net, x).code.z
    torch.testing.assert_close(decoder(code)[:, 0], code @ decoder.directions)
    decoder(code).sin().sum().backward()
    along = (decoder.weight.grad * decoder.directions).sum(1)
    assert decoder.weight.grad.norm(dim=1).max() > 0.1
    assert along.abs().max() < 1e-12


def test_encoder_and_decoder_begin_alike():
    for tied in (True, False):
        network = Dictionary(tied=tied)
        encoder, decoder = network.encoder(SIZES, LATENT), network.decoder(SIZES, 1)
        assert torch.equal(encoder.weight, decoder.weight) == tied
        assert encoder.weight.data_ptr() != decoder.weight.data_ptr()


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (1.0, 100.0), (250.0, -3.0)])
@pytest.mark.parametrize("bottleneck", ["top-k", "batch-top-k", "jump-relu", "gated"])
def test_codes_and_learning_do_not_depend_on_the_units_of_the_data(scale, offset, bottleneck):
    terms = {"reconstruction": Weighted("reconstruction"), "aux-k": Weighted("aux-k", weight=0.1)}
    more = {"jump-relu": {"l0": Weighted("l0")}, "gated": {"gated": Weighted("gated")}}
    found = []
    for a, b in ((1.0, 0.0), (scale, offset)):
        net = model(bottleneck, terms=terms | more.get(bottleneck, {}))
        x = a * rows(64) + b
        net.encoder.network.start_at(x)
        net.decoder.network.start_at(x[:, None])
        objective = Objective(net, net.recipe, net.sizes).double().train()
        # Adam without a bound on small gradients does not depend on the scale of the loss.
        optimizer = torch.optim.Adam(objective.parameters(), 1e-2, eps=1e-30)
        for _ in range(5):
            optimizer.zero_grad()
            objective(x).loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            found.append((net.encode(x).z, (net.decode(net.encode(x).z).mean - b) / a))
    for first, second in zip(*found, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def test_a_dictionary_is_not_conditioned():
    recipe = RECIPES["cvae"].set("network", "dictionary")
    with pytest.raises(RecipeError, match="cannot be conditioned") as refusal:
        build(recipe, Sizes((D,), (2,), context=3), seed=0)
    assert "--set network=mlp" in refusal.value.fix


@pytest.mark.parametrize("dead", [[], [1, 4, 7]])
def test_a_traced_auxiliary_loss_is_the_same(dead):
    net, x = model(), rows()
    net.train().forward_pass(x)
    net.encoder.network.bias.data[[1, 4, 7]] -= 100
    p = pass_of(net, x)
    h = rows(len(x), LATENT, seed=5).abs()
    p = ForwardPass(p.x, p.inputs, None, Code(p.code.z, features=h), p.px, None, net)
    with tracing():
        found = with_dead(AuxK(SIZES, k=2, after=1e6), dead)(p)
    torch.testing.assert_close(found, with_dead(AuxK(SIZES, k=2, after=1e6), dead)(p))
    assert bool((found > 0).all()) == bool(dead)

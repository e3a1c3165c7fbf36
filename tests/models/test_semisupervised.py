"""M2 and M1+M2 against a handwritten twin, sums over all classes and images, and grids of codes."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from autoencode.contract import Autoencoder, Sizes
from autoencode.errors import DataError, RecipeError
from autoencode.models.assemble import assemble
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe, Spec, Weighted
from autoencode.models.semisupervised import SemiSupervised
from autoencode.models.stacked import StackedSemiSupervised

SHAPES = [(20,), (8, 8), (3, 8, 8)]
BOTH = [SemiSupervised, StackedSemiSupervised]
K = 4


def recipe(**changes):
    """A small M2, conditioned on labels."""
    made = Recipe(
        network=Spec("mlp", {"hidden": (16,)}),
        bottleneck=Spec("gaussian"),
        likelihood=Spec("bernoulli"),
        prior=Spec("normal"),
        context=Spec("labels"),
        terms={"reconstruction": Weighted("reconstruction"), "kl": Weighted("kl")},
    )
    return made.but(**changes)


def model(kind=SemiSupervised, x=(8, 8), d=3, seed=0, changes=(), labelled=None, **args):
    torch.manual_seed(seed)
    if kind is StackedSemiSupervised:
        args = {"features": 5, "hidden": (16,)} | args
    sizes = Sizes(x, (d,), context=K, n=100, labelled=labelled)
    return kind(recipe(**dict(changes)), sizes, **args)


def judge(m, x, context=None, seed=1):
    torch.manual_seed(seed)
    return Objective(m, m.recipe, m.sizes)(x, context)


class TwinM2(nn.Module):
    """M2 of 64 pixels, 16 hidden units and 3-dimensional codes, as one would write it down."""

    def __init__(self):
        super().__init__()
        self.enc1, self.enc2 = nn.Linear(64 + K, 16), nn.Linear(16, 6)
        self.dec1, self.dec2 = nn.Linear(3 + K, 16), nn.Linear(16, 64)
        self.cls1, self.cls2 = nn.Linear(64, 16), nn.Linear(16, K)

    def bound(self, x, y, noise):
        y = functional.one_hot(y, K).to(x)
        h = self.enc2(self.enc1(torch.cat([x, y], 1)).relu())
        mean, log_variance = h.chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * noise
        logits = self.dec2(self.dec1(torch.cat([z, y], 1)).relu())
        missed = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
        return missed + kl + math.log(K)

    def forward(self, x, y, alpha):
        x = x.flatten(1)
        logits = self.cls2(self.cls1(x).relu())
        labels = torch.where(y < 0, logits.argmax(1), y)
        labelled = self.bound(x, labels, torch.randn(len(x), 3, dtype=x.dtype))
        unseen, total = x[y < 0], labelled[y >= 0].sum()
        if len(unseen):
            # Drawn for the labelled examples as well.
            noise = torch.randn(K, len(x), 3, dtype=x.dtype)[:, y < 0]
            log_q = logits[y < 0].log_softmax(1)
            for k in range(K):
                each = self.bound(unseen, torch.full((len(unseen),), k), noise[k])
                total = total + (log_q[:, k].exp() * (each + log_q[:, k])).sum()
        loss = total / len(x)
        if (y >= 0).any():
            loss = loss + alpha * functional.cross_entropy(logits[y >= 0], y[y >= 0])
        return loss


@pytest.mark.parametrize("y", [(0, 2, 3, 1), (-1, -1, -1, -1), (2, -1, -1, 0)])
def test_m2_equals_its_twin_in_loss_and_gradients(y):
    ours, twin = model(alpha=0.7).double(), TwinM2().double()
    pairs = list(zip(twin.parameters(), ours.parameters(), strict=True))
    with torch.no_grad():
        for theirs, mine in pairs:
            theirs.copy_(mine)
    x, context = torch.rand(4, 8, 8, dtype=torch.float64), torch.tensor(y)

    loss = judge(ours, x, context, seed=7).loss
    loss.backward()
    torch.manual_seed(7)
    expected = twin(x, context, 0.7)
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for theirs, mine in pairs:
        given = torch.zeros_like(mine) if theirs.grad is None else theirs.grad
        torch.testing.assert_close(
            torch.zeros_like(mine) if mine.grad is None else mine.grad, given, rtol=1e-6, atol=1e-9
        )


def test_bounds_lie_above_the_likelihoods_and_importance_weights_meet_them():
    """With one code dimension and four pixels, p(x) and p(x, y) are integrals over a grid."""
    m = model(x=(4,), d=1, changes={"samples": 4000}.items()).double().eval()
    x = torch.tensor([[0.0, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.float64)
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    z = grid[:, None, None].expand(-1, 2, 1)
    with torch.no_grad():
        mass = m.prior().log_prob(z) + math.log(16 / 4000)
        joint = torch.stack(
            [
                (m.decode(z, torch.tensor([k, k])).log_prob(x) + mass).logsumexp(0) - math.log(K)
                for k in range(K)
            ],
            1,
        )
        exact = joint.logsumexp(1)
        hidden = [
            v for k, v in judge(m, x).forward_pass.code.costs.items() if k != "classification"
        ]
        known = [
            v
            for k, v in judge(m, x, torch.tensor([1, 3])).forward_pass.code.costs.items()
            if k != "classification"
        ]
        code = m.encode(x, samples=20_000)
        weights = m.decode(code.z).log_prob(x) + m.prior().log_prob(code.z)
        weights = weights - code.q.log_prob(code.z)
    assert (sum(hidden) > -exact).all()
    assert (sum(hidden) < -exact + 3).all()
    assert (sum(known) > -joint[range(2), [1, 3]]).all()
    estimate = weights.logsumexp(0) - math.log(20_000)
    torch.testing.assert_close(estimate, exact, atol=0.02, rtol=0)


def test_probabilities_of_all_images_sum_to_one():
    m = model(x=(4,)).eval()
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    z = torch.randn(3, 1, 3)
    for context in (None, torch.tensor([-1]), torch.tensor([2])):
        px = m.decode(z, context)
        assert px.batch_shape == (3, 1)
        total = torch.stack([px.log_prob(x).exp() for x in every]).sum(0)
        torch.testing.assert_close(total, torch.ones(3, 1))


def test_unknown_classes_decode_to_the_mean_of_all():
    for kind in BOTH:
        m = model(kind).eval()
        z, context = torch.randn(2, 5, 3), torch.tensor([1, -1, 0, -1, 3])
        of_each = torch.stack([m.decode(z, torch.full((5,), k)).mean for k in range(K)])
        mixed = m.decode(z, context).mean
        torch.testing.assert_close(m.decoder(z), of_each.mean(0))
        torch.testing.assert_close(mixed[:, 1], of_each[:, :, 1].mean(0))
        torch.testing.assert_close(mixed[:, 4], of_each[3, :, 4])
        drawn = m.decode(z).sample((6,))
        assert drawn.shape == (6, 2, 5, 8, 8)


@pytest.mark.parametrize("x", SHAPES)
@pytest.mark.parametrize("kind", BOTH)
def test_keeps_the_contract(kind, x):
    m = model(kind, x).eval()
    assert isinstance(m, Autoencoder)
    images, context = torch.rand(6, *x), torch.tensor([0, -1, 3, -1, -1, 2])
    labels = torch.where(context < 0, m.predict(images), context)
    codes, restored = m(images, context)
    assert codes.shape == (6, 3)
    assert restored.shape == images.shape
    torch.testing.assert_close(m.encoder(images, context), codes)
    torch.testing.assert_close(
        m.encode(images, context).z, m.encode(images, labels).z, rtol=0, atol=0
    )
    torch.testing.assert_close(m.decode(codes, labels).mean, restored)
    features = functional.one_hot(context.clamp(min=0), K) * (context >= 0)[:, None]
    torch.testing.assert_close(m.encoder(images, features.float()), codes)
    torch.testing.assert_close(m.encoder(images), m.encoder(images, m.predict(images)))
    drawn = m.encode(images, context, samples=5)
    assert drawn.z.shape == (5, 6, 3)
    assert m.decode(drawn.z, context).batch_shape == (5, 6)
    assert m.decode(drawn.z, context).event_shape == x
    assert m.prior().log_prob(m.sampler().sample((7,))).shape == (7,)
    assert not m.encode(images).z.requires_grad
    assert m.train().encode(images).z.requires_grad


@pytest.mark.parametrize("kind", BOTH)
def test_predictions(kind):
    m = model(kind).eval()
    x = torch.rand(9, 8, 8)
    proba = m.predict_proba(x)
    assert proba.shape == (9, K)
    assert not proba.requires_grad
    torch.testing.assert_close(proba.sum(1), torch.ones(9))
    assert m.predict(x).dtype == torch.int64
    assert torch.equal(m.predict((x * 255).byte()), m.predict((x * 255).byte().float() / 255))


@pytest.mark.parametrize("x", SHAPES)
@pytest.mark.parametrize("kind", BOTH)
def test_gradients_reach_every_parameter(kind, x):
    m = model(kind, x)
    context = torch.tensor([0, 1, 2, 3] + [-1] * 26)
    output = judge(m, torch.rand(30, *x), context)
    output.loss.backward()
    for name, parameter in m.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert output.forward_pass.model is m
    assert output.forward_pass.px.mean.shape[-len(x) :] == x


@pytest.mark.parametrize("kind", BOTH)
def test_weights_are_saved_once_and_restored(kind):
    first, second = model(kind).eval(), model(kind, seed=5).eval()
    state = first.state_dict()
    places = [tensor.data_ptr() for tensor in state.values()]
    assert len(set(places)) == len(places)
    x = torch.rand(3, 8, 8)
    assert not torch.allclose(first.encoder(x), second.encoder(x))
    second.load_state_dict(state)
    torch.testing.assert_close(first(x).images, second(x).images, rtol=0, atol=0)
    torch.testing.assert_close(first.predict_proba(x), second.predict_proba(x), rtol=0, atol=0)


def test_a_share_makes_up_for_batches_with_too_many_labels():
    x, context = torch.rand(10, 8, 8), torch.tensor([0, 1, 2, 3, 0] + [-1] * 5)
    plain, shared = model(alpha=2.0), model(alpha=2.0, labelled=0.1)
    given, found = (judge(m, x, context).forward_pass.code.costs for m in (plain, shared))
    for name in ("reconstruction", "kl", "label-kl"):
        expected = 0.1 * given[name][:5].mean() + 0.9 * given[name][5:].mean()
        torch.testing.assert_close(found[name].mean(), expected)
    logits = plain.classifier(x[:5])
    loss = 2.0 * functional.cross_entropy(logits, context[:5])
    torch.testing.assert_close(found["classification"].mean(), loss)
    # Measured, an example counts as one.
    measured = judge(shared.eval(), x, context).forward_pass.code.costs
    torch.testing.assert_close(measured["kl"], given["kl"])


def test_weights_of_the_terms_weigh_the_bound():
    x, context = torch.rand(6, 8, 8), torch.tensor([0, 1, -1, -1, -1, -1])
    m = model()
    heavy = m.recipe.set("terms.kl.weight", 3.0)
    torch.manual_seed(1)
    output = Objective(m, heavy, m.sizes)(x, context)
    expected = judge(m, x, context).loss + 2 * output.terms["kl"]
    torch.testing.assert_close(output.loss, expected)


def test_m1_learns_as_if_alone():
    """No gradient of M2's reaches M1, and M2 sees what M1 drew."""
    m, x = model(StackedSemiSupervised), torch.rand(12, 8, 8)
    alone = assemble(recipe(context=None), Sizes((8, 8), (5,), n=100))
    alone.load_state_dict(m.m1.state_dict())
    output, theirs = judge(m, x, torch.tensor([2] * 3 + [-1] * 9)), judge(alone, x)
    output.loss.backward()
    theirs.loss.backward()
    for mine, other in zip(m.m1.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    rest = {k: v for k, v in output.terms.items() if k not in theirs.terms}
    assert set(rest) == {"code-reconstruction", "code-kl", "label-kl", "classification"}
    torch.testing.assert_close(output.loss - sum(rest.values()), theirs.loss)
    assert output.forward_pass.code.z.shape == (1, 12, 5)


def test_several_draws_count_as_one_example():
    m = model(StackedSemiSupervised, changes={"samples": 3}.items())
    costs = judge(m, torch.rand(6, 8, 8), torch.tensor([1, -1] * 3)).forward_pass.code.costs
    assert all(cost.shape == (6,) for cost in costs.values())


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.long
def test_a_few_labels_name_the_clusters(kind):
    """Four patterns under noise, one label each: the rest is learned without labels."""
    torch.manual_seed(0)
    patterns = torch.eye(K).repeat_interleave(5, 1)
    y = torch.arange(K).repeat(50)
    x = (patterns[y] * 0.7 + 0.4 * torch.rand(200, 20)).clamp(0, 1)
    m = model(kind, (20,), d=2, labelled=0.02)
    objective = Objective(m, m.recipe, m.sizes)
    optimizer = torch.optim.Adam(m.parameters(), 1e-2)
    for _ in range(200):
        rows = torch.cat([torch.arange(K), torch.randint(200, (30,))])
        context = torch.where(torch.arange(34) < K, y[rows], -1)
        optimizer.zero_grad()
        objective(x[rows], context).loss.backward()
        optimizer.step()
    m.eval()
    assert (m.predict(x) == y).float().mean() > 0.95


def test_refusals():
    with pytest.raises(RecipeError, match="two or more classes"):
        SemiSupervised(recipe(context=None), Sizes((8, 8), (2,)))
    bare = recipe(terms={"reconstruction": Weighted("reconstruction")})
    with pytest.raises(RecipeError, match=r"terms\.kl=kl"):
        SemiSupervised(bare, Sizes((8, 8), (2,), context=K))
    for statistic in ("free-bits", "capacity"):
        terms = {**bare.terms, "kl": Weighted(statistic)}
        with pytest.raises(RecipeError, match=r"no value per example.*terms\.kl=kl"):
            SemiSupervised(recipe(terms=terms), Sizes((8, 8), (2,), context=K))
    m = model()
    with pytest.raises(DataError, match="0 to 3"):
        m.encode(torch.rand(2, 8, 8), torch.tensor([0, 4]))
    for wrong in (torch.rand(2, 4), torch.rand(3)):
        with pytest.raises(DataError, match=r"\(3,\)"):
            m.decoder(wrong)
    with pytest.raises(DataError, match=r"\(8, 8\)"):
        m.predict(torch.rand(2, 9, 9))

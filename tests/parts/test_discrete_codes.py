"""Residual, product, lookup-free and Gumbel-softmax codes."""

import math
from itertools import pairwise, product

import pytest
import torch
from torch.distributions import Categorical, RelaxedOneHotCategorical
from torch.distributions import kl_divergence as kl

from autoencode.contract import Code, Sizes, Space
from autoencode.errors import RecipeError
from autoencode.parts.bottlenecks import BOTTLENECKS
from autoencode.parts.bottlenecks.gumbel import GumbelSoftmax
from autoencode.parts.bottlenecks.lookup_free import LookupFree
from autoencode.parts.bottlenecks.vector import ResidualQuantised, VectorQuantised
from autoencode.parts.samplers.discrete import Autoregressive

KINDS = {
    "vq": {"codes": 16},
    "product": {"codes": 16, "books": "separate"},
    "residual": {"codes": 16, "dim": 4, "depth": 3},
    "one level": {"codes": 16, "dim": 4, "depth": 1},
    "lfq": {"dim": 4},
    "odd lfq": {"dim": 1},
    "gumbel": {"codes": 6},
    "hard gumbel": {"codes": 12, "dim": 4, "hard": True},
    "fsq": {"levels": (3, 4)},
}
NAMES = {"product": "vq", "residual": "residual-vq", "one level": "residual-vq", "odd lfq": "lfq"}
NAMES |= {"gumbel": "gumbel-softmax", "hard gumbel": "gumbel-softmax"}
SHAPES = [(8,), (4, 3, 2), (8, 1, 1)]


def made(kind, z=(8,), batches=30):
    """A bottleneck that has seen some batches of normal features, in evaluation mode."""
    torch.manual_seed(0)
    part = BOTTLENECKS[NAMES.get(kind, kind)](Sizes((8, 8), z), **KINDS[kind]).train()
    for _ in range(batches):
        part(features(part, 40))
    return part.eval()


def features(part, n=20):
    return torch.randn(n, part.features * part.sizes.latent)


@pytest.mark.parametrize("z", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_indices_and_codes_are_each_others_inverse(self, kind, z):
        part = made(kind, z)
        code = part(features(part))
        assert part.space is Space.CODES
        assert code.z.shape == (20, *z)
        assert code.index.shape == (20, part.groups)
        assert code.index.dtype == torch.int64
        assert 0 <= code.index.min() <= code.index.max() < part.entries
        torch.testing.assert_close(part.codes_of(code.index), code.z)
        torch.testing.assert_close(part.codes_of(part.index_of(code.z)), code.z)
        # Any indices, with any leading dimensions.
        index = torch.randint(part.entries, (3, 5, part.groups))
        codes = part.codes_of(index)
        assert codes.shape == (3, 5, *z)
        # A search finds the entries of a residual code, and of most sums that no features have.
        exact = (part.codes_of(part.index_of(codes)) - codes).abs().flatten(2).amax(-1) < 1e-5
        assert exact.float().mean() > 0.9 if kind == "residual" else exact.all()

    def test_the_indices_of_a_code_are_in_equal_parts_of_each_codebook(self, kind, z):
        """As the explorer puts a code together: each index adds its vector to its place."""
        part = made(kind, z)
        vectors, index = part.entry_vectors(), torch.randint(part.entries, (part.groups,))
        assert vectors.shape == (part.books, part.entries, part.dim)
        expected = torch.zeros(z[0], part.positions)
        for k, entry in enumerate(index.tolist()):
            place = k % (part.sizes.latent // part.dim)
            band, position = divmod(place, part.positions)
            rows = slice(band * part.dim, (band + 1) * part.dim)
            expected[rows, position] += vectors[k * part.books // part.groups, entry]
        torch.testing.assert_close(part.codes_of(index).reshape(z[0], -1), expected)

    def test_samples_repeat_the_code_in_evaluation_which_changes_nothing(self, kind, z):
        part = made(kind, z)
        before = {name: value.clone() for name, value in part.state_dict().items()}
        h = features(part)
        assert torch.equal(part(h, samples=3).z, part(h).z.expand(3, *[-1] * (1 + len(z))))
        assert all(torch.equal(value, before[k]) for k, value in part.state_dict().items())

    def test_half_precision_features_are_widened(self, kind, z):
        part = made(kind, z)
        h = features(part).bfloat16()
        with torch.autocast("cpu", torch.bfloat16):
            low = part(h)
        assert low.z.dtype == torch.float32
        assert torch.equal(low.index, part(h.float()).index)

    def test_an_empty_batch_has_no_codes(self, kind, z):
        part = made(kind, z, batches=1)
        for mode in (True, False) if kind != "fsq" else (False,):
            code = part.train(mode)(features(part, 0))
            assert code.z.shape == (0, *z)
            assert code.index.shape == (0, part.groups)


@pytest.mark.parametrize("kind", ["product", "residual", "lfq", "odd lfq"])
def test_gradients_pass_straight_through(kind):
    part = made(kind, (8, 2, 1))
    h = features(part).requires_grad_()
    weight = torch.randn(20, 8, 2, 1)
    (part(h).z * weight).sum().backward()
    assert torch.equal(h.grad, weight.flatten(1))


def test_separate_books_are_as_many_models_of_one_block():
    torch.manual_seed(0)
    whole = VectorQuantised(Sizes((8, 8), (6,)), codes=8, books="separate", revival=0.0).train()
    parts = [VectorQuantised(Sizes((8, 8), (2,)), codes=8, revival=0.0).train() for _ in range(3)]
    for _ in range(5):
        h = torch.randn(30, 6)
        for k, part in enumerate([whole, *parts]):
            torch.manual_seed(1)
            code = part(h if k == 0 else h[:, 2 * k - 2 : 2 * k])
            if k == 0:
                expected = code
            else:
                assert torch.equal(code.index[:, 0], expected.index[:, k - 1])
                torch.testing.assert_close(code.z, expected.z[:, 2 * k - 2 : 2 * k])


def test_residual_levels_are_written_out_by_hand():
    part = made("residual")
    h = features(part).requires_grad_()
    code = part(h)
    rest, total, cost = h.detach().reshape(20, 2, 4), 0, 0
    for level, index in zip(part.levels, code.index.chunk(3, 1), strict=True):
        nearest = torch.cdist(rest, level.vectors).argmin(-1)
        assert torch.equal(index, nearest)
        rest = rest - level.vectors[0][nearest]
        total = total + level.vectors[0][nearest]
        cost = cost + rest.square().sum((1, 2))
    torch.testing.assert_close(code.z.reshape(20, 2, 4), total)
    torch.testing.assert_close(code.costs["commitment"], 0.25 * cost)
    code.costs["commitment"].sum().backward()
    sums = [
        sum(part.levels[i].vectors[0][code.index.chunk(3, 1)[i]] for i in range(k))
        for k in (1, 2, 3)
    ]
    by_hand = sum(0.5 * (h.detach().reshape(20, 2, 4) - each) for each in sums)
    torch.testing.assert_close(h.grad, by_hand.flatten(1))


def test_each_level_lowers_the_error():
    torch.manual_seed(0)
    part = ResidualQuantised(Sizes((8, 8), (4,)), codes=32, depth=4).train()
    for _ in range(100):
        part(torch.randn(100, 4))
    part.eval()
    h, errors = torch.randn(500, 4), []
    index = part(h).index
    for depth in range(1, 5):
        z = sum(part.levels[i].vectors[0][index[:, i]] for i in range(depth))
        errors.append((h - z).square().sum(1).mean().item())
    assert all(b < 0.6 * a for a, b in pairwise(errors))


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
@pytest.mark.parametrize("positions", [1, 3])
def test_entropies_are_sums_over_all_entries(dim, positions):
    """Against softmax(−‖h − e‖²/T) over all 2^dim sign vectors."""
    z = (2 * dim,) if positions == 1 else (2 * dim, positions, 1)
    args = {"temperature": 1.7, "entropy": 0.3, "diversity": 0.8, "commitment": 0.5}
    part = LookupFree(Sizes((8, 8), z), dim=dim, **args)
    torch.manual_seed(0)
    h = torch.randn(7, 2 * dim * positions, dtype=torch.float64, requires_grad=True)
    code = part(h)
    entries = torch.tensor(list(product((-1.0, 1.0), repeat=dim)), dtype=torch.float64)
    groups = h.reshape(7, 2, dim, positions).movedim(2, 3)
    q = (-(groups[..., None, :] - entries).square().sum(-1) / 1.7).softmax(-1)
    own = Categorical(probs=q).entropy().sum((1, 2))
    together = Categorical(probs=q.mean((0, 2))).entropy().sum() * positions
    torch.testing.assert_close(code.costs["entropy"], 0.3 * (own - 0.8 * together))
    signs = h.detach().reshape(7, *z).sign()
    assert torch.equal(code.z.detach(), signs)
    assert torch.equal(part.codes_of(code.index).double(), signs)
    commitment = 0.5 * (h.detach().reshape(7, *z) - signs).square().flatten(1).sum(1)
    torch.testing.assert_close(code.costs["commitment"].detach(), commitment)
    assert torch.autograd.gradcheck(lambda x: part(x).costs["entropy"], h)


def test_the_index_has_a_bit_for_each_positive_dimension():
    part = LookupFree(Sizes((8, 8), (3,)), dim=3)
    assert part(torch.tensor([[2.0, -1, 3], [-1, -1, -1], [0.1, 5, 1]])).index.tolist() == [
        [0b101],
        [0],
        [0b111],
    ]


@pytest.mark.parametrize(("codes", "dim"), [(2, 1), (6, 2), (9, 3), (12, 4)])
def test_the_kl_is_that_of_a_categorical_and_a_uniform_distribution(codes, dim):
    part = GumbelSoftmax(Sizes((8, 8), (2 * dim,)), codes=codes, dim=dim, weight=3.0)
    h = torch.randn(5, 2 * codes, requires_grad=True)
    code = part.eval()(h)
    # The encoder's first d features are the first logits of each dimension, and so on.
    logits = h.reshape(5, codes // dim, 2, dim).movedim(1, 2).flatten(2)
    uniform = Categorical(probs=torch.full((codes,), 1 / codes))
    expected = kl(Categorical(logits=logits), uniform).sum(1)
    torch.testing.assert_close(code.costs["kl"], 3 * expected)
    assert torch.equal(code.index, logits.argmax(-1))
    chosen = torch.stack([part.vectors[g][code.index[:, g]] for g in range(2)], 1).flatten(1)
    torch.testing.assert_close(code.z, chosen)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_training_samples_are_those_of_the_relaxed_distribution(temperature):
    """Means of y and ln y against torch's own relaxed one-hot distribution."""
    part = GumbelSoftmax(Sizes((8, 8), (2,)), codes=4, dim=2, temperature=temperature).train()
    logits = torch.tensor([0.5, -1.0, 0.2, 1.5])
    torch.manual_seed(0)
    found = part._relaxed(logits.expand(40_000, 4))
    theirs = RelaxedOneHotCategorical(torch.tensor(temperature), logits=logits).sample((40_000,))
    torch.testing.assert_close(found.sum(1), torch.ones(40_000))
    torch.testing.assert_close(found.mean(0), theirs.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(found.square().mean(0), theirs.square().mean(0), atol=0.01, rtol=0)
    # The largest is a draw of the categorical distribution itself.
    shares = torch.bincount(found.argmax(1), minlength=4) / 40_000
    torch.testing.assert_close(shares, logits.softmax(0), atol=0.01, rtol=0)


def test_hard_samples_are_entries_with_the_gradient_of_the_relaxed_sum():
    part, soft = (
        GumbelSoftmax(Sizes((8, 8), (4,)), codes=6, dim=2, hard=hard).double().train()
        for hard in (True, False)
    )
    soft.load_state_dict(part.state_dict())
    weight = torch.randn(9, 4, dtype=torch.float64)
    gradients = []
    for each in (part, soft):
        h = torch.linspace(-2, 2, 9 * 12, dtype=torch.float64).reshape(9, 12).requires_grad_()
        torch.manual_seed(3)
        code = each(h)
        (code.z * weight).sum().backward()
        gradients.append(h.grad)
        if each is part:
            torch.testing.assert_close(part.codes_of(part.index_of(code.z)), code.z)
        else:
            assert not torch.allclose(part.codes_of(part.index_of(code.z)), code.z, atol=1e-2)
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0


def test_a_low_temperature_gives_one_hot_samples():
    part = GumbelSoftmax(Sizes((8, 8), (2,)), codes=5, dim=1, temperature=1e-3)
    y = part._relaxed(torch.randn(200, 2, 5))
    assert (y.amax(-1) > 0.99).float().mean() > 0.97


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(RecipeError, match=r"multiple of 2: --set bottleneck.codes=8"):
        GumbelSoftmax(Sizes((8, 8), (4,)), codes=7, dim=2)
    with pytest.raises(RecipeError, match=r"groups of 8.*--latent 16"):
        LookupFree(Sizes((8, 8), (12,)))
    with pytest.raises(RecipeError, match=r"groups of 4.*--latent 8"):
        ResidualQuantised(Sizes((8, 8), (6,)))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["product", "residual", "lfq", "gumbel"])
def test_a_sampler_learns_the_distribution_of_the_indices(kind):
    """Two patterns of indices with shares ¾ and ¼: it draws both, and little else."""
    part = made(kind)
    torch.manual_seed(1)
    patterns = part(features(part)).index[:2]
    index = patterns[(torch.rand(800) < 0.25).long()]
    sampler = Autoregressive(part.sizes, part, steps=150)
    sampler.fit(Code(part.codes_of(index), index=index), 0)
    drawn = sampler().sample((400,))
    nearest = torch.cdist(drawn.flatten(1), part.codes_of(patterns).flatten(1))
    assert (nearest.min(1).values < 1e-2).float().mean() > 0.9
    assert 0.15 < nearest.argmin(1).float().mean() < 0.35
    nats = sampler().log_prob(part.codes_of(patterns))
    torch.testing.assert_close(nats.exp(), torch.tensor([0.75, 0.25]), atol=0.1, rtol=0)


def test_uniform_logits_cost_nothing_and_certain_ones_the_logarithm():
    part = GumbelSoftmax(Sizes((8, 8), (4,)), codes=8, dim=2)
    certain = torch.zeros(1, 16)
    certain[0, :4] = 200.0  # the first logit of each of the four dimensions
    assert part(torch.zeros(1, 16)).costs["kl"].abs().item() < 1e-6
    # Each group has two equal logits far above the others.
    assert part(certain).costs["kl"].item() == pytest.approx(2 * math.log(8 / 2), abs=1e-5)

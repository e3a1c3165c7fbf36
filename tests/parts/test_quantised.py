"""Discrete codes: the nearest entry, gradients passed through, averages, finite scalars."""

from copy import deepcopy

import pytest
import torch

from autoencode.contract import Sizes, Space
from autoencode.errors import RecipeError
from autoencode.parts.bottlenecks import BOTTLENECKS
from autoencode.parts.bottlenecks.quantised import FiniteScalar
from autoencode.parts.bottlenecks.vector import VectorQuantised

SIZES = Sizes((8, 8), (6,))


def vq(seed=0, sizes=SIZES, **args):
    torch.manual_seed(seed)
    return VectorQuantised(sizes, **{"codes": 8, "dim": 2} | args)


def book_of(part):
    return part.codebook.vectors[0]


def features(batch=50, size=6, seed=1):
    return torch.randn(batch, size, generator=torch.Generator().manual_seed(seed))


def trained(part, batches=20):
    part.train()
    for seed in range(batches):
        part(features(seed=100 + seed))
    return part.eval()


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_codes_live_on_a_book(kind):
    part = BOTTLENECKS[kind](SIZES)
    assert part.space is Space.CODES
    assert not part.random
    assert part.eval()(features()).q is None


def test_the_value_is_the_nearest_entry():
    part = trained(vq())
    code = part(features())
    distances = (features().reshape(50, 3, 1, 2) - book_of(part)).norm(dim=-1)
    assert torch.equal(code.index, distances.argmin(-1))
    assert torch.equal(code.z.reshape(50, 3, 2), book_of(part)[code.index])
    assert torch.equal(part.codes_of(code.index), code.z)
    assert torch.equal(part.index_of(code.z), code.index)


def test_gradients_pass_straight_through():
    part = trained(vq())
    h = features().requires_grad_()
    weight = features(seed=2)
    (part(h).z * weight).sum().backward()
    assert torch.equal(h.grad, weight)


def test_commitment_is_the_weighted_squared_error_and_pulls_only_the_encoder():
    part = trained(vq(commitment=0.5))
    h = features().requires_grad_()
    code = part(h)
    cost = code.costs["commitment"]
    assert set(code.costs) == {"commitment"}
    torch.testing.assert_close(cost, 0.5 * (features() - code.z).square().sum(1))
    cost.sum().backward()
    torch.testing.assert_close(h.grad, features() - code.z.detach())


def test_a_book_learned_by_gradients_moves_to_its_vectors():
    part = trained(vq(learn="gradients"))
    assert isinstance(part.codebook.vectors, torch.nn.Parameter)
    h = features().requires_grad_()
    code = part(h)
    torch.testing.assert_close(
        code.costs["codebook"], (features() - code.z).square().sum(1), rtol=1e-5, atol=1e-6
    )
    code.costs["codebook"].sum().backward()
    assert h.grad is None
    vectors, index = features().reshape(-1, 2), code.index.flatten()
    by_hand = torch.stack(
        [2 * (b - vectors[index == k]).sum(0) for k, b in enumerate(book_of(part))]
    )
    torch.testing.assert_close(
        part.codebook.vectors.grad[0], by_hand.detach(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("batches", [0, 2, 30])
def test_averages_equal_a_handwritten_update(batches):
    """The mean over all batches until a new one has a weight of 0.1, then a moving average."""
    part = vq(decay=0.9, revival=0.0)
    trained(part, batches)
    book = part.codebook
    before, usage, total = book.vectors[0].clone(), book.usage[0].clone(), book.total[0].clone()
    vectors = features(seed=7).reshape(-1, 2)
    if not batches:
        torch.manual_seed(4)
        before = vectors[torch.randperm(len(vectors))[:8]]
    index = torch.cdist(vectors, before).argmin(1)
    torch.manual_seed(4)
    part.train()(features(seed=7))
    weight = max(0.1, 1 / (batches + 1))
    for k in range(8):
        mine = vectors[index == k]
        usage[k] = (1 - weight) * usage[k] + weight * len(mine)
        total[k] = (1 - weight) * total[k] + weight * mine.sum(0)
    torch.testing.assert_close(book.usage[0], usage)
    torch.testing.assert_close(book.total[0], total)
    torch.testing.assert_close(book.vectors[0], total / usage[:, None])


def test_entries_without_vectors_stay_where_they_are():
    part = trained(vq(decay=0.5, revival=0.0))
    with torch.no_grad():
        part.codebook.vectors[0, 3] = 1e3
        part.codebook.usage[0, 3] = part.codebook.total[0, 3] = 0.0
    part.train()(features())
    assert (book_of(part)[3] == 1e3).all()


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_evaluation_changes_nothing_and_samples_repeat(kind):
    part = trained(BOTTLENECKS[kind](SIZES))
    before = {name: value.clone() for name, value in part.state_dict().items()}
    code = part(features(), samples=3)
    assert torch.equal(code.z, part(features()).z.expand(3, -1, -1))
    assert all(torch.equal(value, before[name]) for name, value in part.state_dict().items())


@pytest.mark.parametrize("learn", ["averages", "gradients"])
def test_a_restored_state_goes_on_bit_for_bit(learn):
    part = trained(vq(learn=learn))
    restored = vq(seed=5, learn=learn)
    restored.load_state_dict(part.state_dict())
    copied = deepcopy(part)
    for each in (part, restored, copied):
        torch.manual_seed(3)
        each.train()(features(seed=9))
    for name, value in part.state_dict().items():
        assert torch.equal(value, restored.state_dict()[name])
        assert torch.equal(value, copied.state_dict()[name])


def test_half_precision_features_are_widened():
    part = trained(vq())
    h = features().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        low = part(h)
    assert low.z.dtype == torch.float32
    assert torch.equal(low.index, part(h.float()).index)


@pytest.mark.parametrize(("channels", "groups"), [(2, 12), (4, 24)])
def test_maps_are_cut_along_channels(channels, groups):
    part = trained(vq()), vq(sizes=Sizes((8, 8), (channels, 3, 4)))
    spatial = part[1]
    spatial.load_state_dict(part[0].state_dict())
    h = features(5, channels * 12).reshape(5, channels, 3, 4)
    code = spatial.eval()(h.flatten(1))
    assert code.z.shape == (5, channels, 3, 4)
    assert code.index.shape == (5, groups) == (5, spatial.groups)
    # The last place of the first two channels is the twelfth group.
    nearest = torch.cdist(h[:, :2, 2, 3], book_of(spatial)).argmin(1)
    assert torch.equal(code.index[:, 11], nearest)
    assert torch.equal(code.z[:, :2, 2, 3], book_of(spatial)[nearest])
    many = code.index.expand(2, -1, -1)
    assert torch.equal(spatial.codes_of(many), code.z.expand(2, -1, -1, -1, -1))
    assert torch.equal(spatial.index_of(code.z.expand(2, -1, -1, -1, -1)), many)


def test_codes_that_cannot_be_cut_are_refused():
    with pytest.raises(RecipeError, match=r"cannot be divided into groups of 4.*--latent 8"):
        vq(dim=4)
    with pytest.raises(RecipeError, match="2 to 2³¹"):
        FiniteScalar(SIZES, levels=())


@pytest.mark.parametrize("levels", [(2,), (3,), (8, 5), (4, 7, 2)])
def test_finite_levels_reach_exactly_their_product(levels):
    part = FiniteScalar(SIZES, levels=levels).eval()
    assert part.entries == torch.tensor(levels).prod()
    # Features far beyond either end, and everything between.
    h = 4 * features(20_000)
    h[0], h[1] = 50, -50
    code = part(h)
    groups = code.z.reshape(-1, len(levels))
    assert len(groups.unique(dim=0)) == part.entries
    assert code.index.unique().tolist() == list(range(part.entries))
    for place, count in enumerate(levels):
        torch.testing.assert_close(
            groups[:, place].unique(), torch.linspace(-1, 1, count), rtol=0, atol=1e-6
        )
    assert torch.equal(part.codes_of(code.index), code.z)
    assert torch.equal(part.index_of(code.z), code.index)
    assert not code.costs


def test_finite_values_are_the_nearest_levels_and_gradients_those_of_tanh():
    part = FiniteScalar(SIZES, levels=(4, 5, 2)).eval()
    part.norm.eps = 0.0
    h = features().requires_grad_()
    code = part(h)
    grids = [torch.linspace(-1, 1, count) for count in (4, 5, 2, 4, 5, 2)]
    for place, grid in enumerate(grids):
        bounded = features()[:, place].tanh()
        nearest = grid[(bounded[:, None] - grid).abs().argmin(1)]
        torch.testing.assert_close(code.z[:, place].detach(), nearest)
    code.z.sum().backward()
    torch.testing.assert_close(h.grad, 1 - features().tanh().square())


def test_finite_scalars_do_not_stick_at_the_ends():
    """Features that all lie far out are brought back: each level of each number is in use."""
    part = FiniteScalar(SIZES, levels=(5,)).train()
    code = part(features(500) + 40)
    assert torch.bincount(code.index.flatten(), minlength=5).min() > 50

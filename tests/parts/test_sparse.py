import pytest
import torch
from torch import nn
from torch.nn import functional

from autoencode.contract import Sizes, Space
from autoencode.errors import RecipeError
from autoencode.models.recipes.table import RECIPES
from autoencode.parts.bottlenecks.sparse import BatchTopK, EvenBatchNorm, TopK
from autoencode.train import fit


def sizes(latent):
    return Sizes((8, 8), (latent,), n=1000)


def features(rows, latent, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(rows, latent, dtype=dtype)


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_default_is_a_fortieth_and_more_than_all_is_refused(part):
    assert [part(sizes(latent)).k for latent in (1, 2, 80, 1000)] == [1, 1, 2, 25]
    assert part.space is Space.REAL
    assert not part.random
    with pytest.raises(RecipeError, match=r"code of 4 .*5 active"):
        part(sizes(4), k=5)
    assert part(sizes(4), k=4).k == 4


def test_top_k_keeps_the_largest_positive_features():
    h = features(50, 20)
    z = TopK(sizes(20), k=3, norm="none")(h).z
    for row, code in zip(h, z, strict=True):
        best = row.sort(descending=True).values[:3].clamp(min=0)
        assert sorted(code[code != 0].tolist()) == sorted(best[best > 0].tolist())
        assert torch.equal(code[code != 0], row[code != 0])
    assert ((z != 0).sum(1) == (h > 0).sum(1).clamp(max=3)).all()


def test_top_k_is_exactly_k_where_features_tie():
    z = TopK(sizes(6), k=2, norm="none")(torch.ones(3, 6)).z
    assert ((z != 0).sum(1) == 2).all()


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_gradients_reach_what_was_kept_and_nothing_else(part):
    bottleneck = part(sizes(10), k=2, norm="none")
    h = features(8, 10).requires_grad_()
    z = bottleneck(h).z
    weights = torch.randn_like(z)
    (gradient,) = torch.autograd.grad((z * weights).sum(), h)
    torch.testing.assert_close(gradient, weights * (z != 0))
    assert torch.autograd.gradcheck(lambda h: bottleneck(h).z, h)


def test_batch_top_k_shares_its_k_among_the_batch():
    h = features(40, 25)
    z = BatchTopK(sizes(25), k=4, norm="none")(h).z
    kept = z != 0
    assert kept.sum() == 160
    assert kept.sum(1).unique().numel() > 1
    assert torch.equal(z[kept], h[kept])
    assert h[kept].min() > h[~kept].max()


def test_batch_top_k_keeps_all_that_is_positive_when_k_is_too_large():
    h = features(10, 6)
    assert torch.equal(BatchTopK(sizes(6), k=6, norm="none")(h).z, h.relu())


def test_evaluation_codes_do_not_depend_on_the_batch():
    bottleneck = BatchTopK(sizes(50), k=5, norm="none")
    torch.manual_seed(0)
    for _ in range(50):
        bottleneck(torch.randn(400, 50))
    bottleneck.eval()
    h = features(2_000, 50, torch.float32)
    z = bottleneck(h).z
    alone = torch.cat([bottleneck(row[None]).z for row in h[:20]])
    assert torch.equal(z[:20], alone)
    # One in ten of normal features lies above their 0.9 quantile.
    assert bottleneck.threshold.item() == pytest.approx(1.2816, abs=0.015)
    assert (z != 0).sum(1).float().mean().item() == pytest.approx(5, abs=0.15)


def test_the_threshold_moves_in_training_only_and_is_saved():
    bottleneck = BatchTopK(sizes(5), k=1, norm="none")
    h = features(20, 5, torch.float32)
    bottleneck.eval()(h)
    assert bottleneck.threshold.item() == 0
    bottleneck.train()(h)
    largest = h.flatten().sort(descending=True).values[19].item()
    assert bottleneck.threshold.item() == pytest.approx(largest)
    other = BatchTopK(sizes(5), k=1, norm="none")
    other.load_state_dict(bottleneck.state_dict())
    assert torch.equal(other.threshold, bottleneck.threshold)


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_samples_repeat_a_point(part):
    bottleneck = part(sizes(5), k=2, norm="none").eval()
    h = features(4, 5)
    assert torch.equal(bottleneck(h, samples=3).z, bottleneck(h).z.expand(3, 4, 5))
    assert bottleneck(h).q is None


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_k_may_come_down_while_training(part):
    bottleneck = part(sizes(20), k=3, norm="none")
    h = features(50, 20).abs()
    for moving, active in ((30.0, 20), (7.6, 8), (3.0, 3)):
        bottleneck.k = moving
        assert (bottleneck(h).z != 0).sum() == active * 50


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_normalised_features_compete_evenly(part):
    """Unit 0 is large for all examples and would win each time; normalised, all have a turn."""
    h = features(400, 10)
    h[:, 0] += 50
    bare, even = part(sizes(10), k=1, norm="none"), part(sizes(10), k=1).double()
    assert (bare(h).z != 0).any(0).sum() == 1
    z = even(h).z
    shares = (z != 0).float().mean(0)
    assert ((shares > 0.05) & (shares < 0.2)).all()
    kept = z != 0
    torch.testing.assert_close(z[kept], functional.batch_norm(h, None, None, training=True)[kept])


@pytest.mark.parametrize("part", [TopK, BatchTopK])
def test_normalised_evaluation_does_not_depend_on_the_batch(part):
    bottleneck = part(sizes(10), k=2)
    h = features(200, 10, torch.float32)
    for _ in range(50):
        bottleneck(h)
    bottleneck.eval()
    torch.testing.assert_close(bottleneck(h).z[:1], bottleneck(h[:1]).z)


@pytest.mark.parametrize("latent", [30, 100, 256])
@pytest.mark.parametrize(("k", "first", "later"), [(1, 0.4, 0.25), (5, 0.2, 0.13), (12, 0.1, 0.08)])
def test_evaluation_has_k_active_units_from_the_first_step_on(latent, k, first, later):
    """Features that are far from normalised, and whose scale grows while they are learned.

    first, later: largest relative errors, which fall as more units are selected in a batch.
    """
    torch.manual_seed(0)
    bottleneck = BatchTopK(sizes(latent), k=k)
    offset, scale = torch.randn(latent) * 3, torch.rand(latent) + 0.1
    for step in range(1, 51):
        bottleneck.train()(offset + scale * (1 + step / 500) * torch.randn(100, latent))
        if step in (1, 10, 50):
            h = offset + scale * (1 + step / 500) * torch.randn(2_000, latent)
            active = (bottleneck.eval()(h).z != 0).sum(1).float().mean().item()
            assert active == pytest.approx(k, rel=first if step == 1 else later), step


@pytest.mark.parametrize(("steps", "error"), [(1, 0.3), (10, 0.2), (50, 0.15)])
def test_a_short_training_has_k_active_units_in_evaluation(digits, steps, error):
    recipe = RECIPES["sparse-batch-top-k"].but(latent=200).set("bottleneck.k", 5)
    model = fit(recipe, digits, steps=steps, batch_size=100, progress=False).model
    active = (model.encode(digits.test.x).z != 0).sum(1).float().mean().item()
    assert active == pytest.approx(5, rel=error)


def test_running_statistics_are_means_over_the_first_batches():
    norm = EvenBatchNorm(4)
    batches = [features(30, 4, torch.float32) * n for n in (1, 3, 2)]
    for batch in batches:
        torch.testing.assert_close(
            norm(batch), functional.batch_norm(batch, None, None, training=True)
        )
    torch.testing.assert_close(norm.running_mean, torch.stack(batches).mean((0, 1)))
    torch.testing.assert_close(norm.running_var, torch.stack(batches).var(1).mean(0))
    later = nn.BatchNorm1d(4, affine=False)
    for _ in range(200):
        norm(batches[0]), later(batches[0])
    torch.testing.assert_close(
        norm.state_dict(), later.state_dict() | {"num_batches_tracked": torch.tensor(203)}
    )

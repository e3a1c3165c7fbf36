import math

import pytest
import torch
from scipy.spatial.distance import cdist, pdist

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation.metrics.generation import copies, diversity, nearest_distances


def cloud(n, d=6, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def copied(train, test, generated):
    return copies(nearest_distances(test, train), nearest_distances(generated, train))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_nearest_is_what_scipy_finds(offset):
    queries, references = cloud(70) + offset, cloud(300, seed=1) + offset
    found = nearest_distances(queries, references)
    every = torch.from_numpy(cdist(queries.numpy(), references.numpy()))
    torch.testing.assert_close(found, every.amin(1))


def test_copies_are_at_no_distance():
    references = cloud(300) + 1e3
    rows = torch.tensor([7, 0, 299, 7])
    found = nearest_distances(references[rows], references)
    assert found.tolist() == [0, 0, 0, 0]


def test_a_model_that_repeats_its_training_images():
    train, test = cloud(2000), cloud(1000, seed=1)
    assert copied(train, test, train[:500]) == (0, 1)
    # A twentieth of copies among new images: the share tells them, the median hardly.
    mixed = torch.cat([train[:50], cloud(950, seed=2)])
    ratio, share = copied(train, test, mixed)
    assert share == pytest.approx(0.05 + 0.95 * 0.01, abs=0.01)
    assert 0.9 < ratio < 1


def test_a_model_that_draws_from_the_distribution():
    found = [
        copied(cloud(500, seed=s), cloud(1000, seed=s + 50), cloud(1000, seed=s + 99))
        for s in range(20)
    ]
    ratio, share = torch.tensor(found).mean(0).tolist()
    assert ratio == pytest.approx(1, abs=0.02)
    assert share == pytest.approx(0.01, abs=0.003)


def test_the_share_counts_what_is_as_near_as_a_hundredth_of_the_test_images():
    train = torch.zeros(1, 1)
    test = torch.arange(1.0, 102)[:, None]  # 2 is nearer than all but 1 % of them
    assert copied(train, test, torch.tensor([[1.0], [2], [3], [255]])) == (2.5 / 51, 0.5)


def test_copies_cannot_be_told_where_the_test_images_are_copies():
    train, test = cloud(100), cloud(50, seed=1)
    # Of so many, a copying model still stands out.
    some = torch.cat([test[:40], train[:10]])
    assert copied(train, some, train)[1] == 1
    with pytest.raises(DataError, match="half of the test images are training images too"):
        copied(train, train[:60], test)


@pytest.mark.parametrize("n", [2, 3, 60, 101])
def test_diversity_over_all_pairs(n):
    x = cloud(n)
    assert diversity(x) == pytest.approx(pdist(x.double().numpy()).mean(), rel=1e-9)


def test_diversity_over_some_pairs():
    x = cloud(700) * torch.linspace(0, 3, 700)[:, None]
    exact = pdist(x.double().numpy()).mean()
    before = torch.get_rng_state()
    found = diversity(x)
    assert torch.equal(before, torch.get_rng_state())
    assert found == diversity(x) != diversity(x, seed=1)
    assert found == pytest.approx(exact, rel=0.01)
    assert diversity(x, seed=1) == pytest.approx(exact, rel=0.01)
    assert diversity(x[:1].repeat(300, 1)) == 0


def test_what_cannot_be_measured():
    x = cloud(10)
    for other in (cloud(10, 3), x[0], x[:0]):
        with pytest.raises(DataError, match="with an example or more, and these are"):
            nearest_distances(x, other)
    for other in (x, x[0, :0]):
        with pytest.raises(DataError, match="Distances are compared"):
            copies(x.norm(dim=1), other)
    with pytest.raises(Diverged, match="not finite"):
        nearest_distances(x, x * math.inf)
    with pytest.raises(DataError, match="with 2 examples or more"):
        diversity(x[:1])
    with pytest.raises(RecipeError, match="seed"):
        diversity(x, seed=-1)

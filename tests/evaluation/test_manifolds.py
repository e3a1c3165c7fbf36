import math

import numpy as np
import pytest
import torch

from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.evaluation.metrics import generation
from autoencode.evaluation.metrics.generation import density_coverage, precision_recall


def cloud(n, d=4, seed=0, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def by_loops(real, generated, k):
    """Precision, recall, density and coverage, one pair after the other."""

    def radius(x, i):
        return sorted(math.dist(x[i], x[j]) for j in range(len(x)) if j != i)[k - 1]

    def lies(query, centres):
        return [math.dist(query, c) <= radius(centres, i) for i, c in enumerate(centres)]

    a, b = real.double().tolist(), generated.double().tolist()
    in_real = [lies(x, a) for x in b]
    precision = np.mean([any(each) for each in in_real])
    recall = np.mean([any(lies(x, b)) for x in a])
    return precision, recall, np.sum(in_real) / (k * len(b)), np.mean(np.any(in_real, 0))


@pytest.mark.parametrize(("n", "m", "k"), [(23, 17, 3), (17, 30, 1), (9, 6, 5)])
def test_the_definitions_by_loops(n, m, k, monkeypatch):
    real, generated = cloud(n), cloud(m, seed=1, shift=0.5)
    expected = by_loops(real, generated, k)
    assert 0 < min(expected[:2]) < 1  # else nothing would be compared
    for most in (generation.MAX_DISTANCES, 40):  # in one block, and in blocks of a few
        monkeypatch.setattr(generation, "MAX_DISTANCES", most)
        found = (*precision_recall(real, generated, k), *density_coverage(real, generated, k))
        assert found == pytest.approx(expected)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_copies_of_the_real_ones(offset):
    # Each kth neighbour lies on the edge of a ball: rounding may not throw it out.
    x = cloud(400, 32) + offset
    assert precision_recall(x, x) == (1, 1)
    assert density_coverage(x, x, k=5) == pytest.approx((6 / 5, 1))
    # Balls without extent still hold what lies at their centre.
    twice = x[:50].repeat(8, 1)
    assert precision_recall(twice, x[:50].repeat(5, 1)) == (1, 1)
    assert density_coverage(twice, twice)[1] == 1


def test_sets_that_have_nothing_in_common():
    real, generated = cloud(100), cloud(80, seed=1, shift=50)
    assert precision_recall(real, generated) == (0, 0)
    assert density_coverage(real, generated) == (0, 0)


def test_draws_of_one_distribution():
    """Naeem et al.: 1 and 1 − (N−1)…(N−k) / ((N+M−1)…(N+M−k)), whatever the distribution."""
    n, m, k = 150, 100, 3
    found = [
        density_coverage(cloud(n, seed=2 * seed), cloud(m, seed=2 * seed + 1), k)
        for seed in range(60)
    ]
    density, coverage = np.mean(found, 0)
    missed = math.prod((n - i) / (n + m - i) for i in range(1, k + 1))
    assert density == pytest.approx(1, abs=0.03)
    assert coverage == pytest.approx(1 - missed, abs=0.01)


def test_half_of_the_modes_are_dropped():
    corners = 100 * torch.eye(10)

    def modes(count, seed):
        which = torch.arange(600) % count
        return corners[which] + cloud(600, 10, seed)

    real, half = modes(10, 0), modes(5, 1)
    precision, recall = precision_recall(real, half)
    all_precision, all_recall = precision_recall(real, modes(10, 2))
    assert recall == pytest.approx(all_recall / 2, abs=0.05)
    # All that is generated is still real; the other way round, half of it is not.
    assert precision == pytest.approx(all_precision, abs=0.05)
    assert precision_recall(half, real) == (recall, precision)
    density, coverage = density_coverage(real, half)
    assert coverage == pytest.approx(0.5, abs=0.02)
    assert density == pytest.approx(1, abs=0.1)


def test_a_real_outlier_cheats_precision_more_than_density():
    real, generated = cloud(300), cloud(300, seed=1, shift=30)
    real[0] = 100.0
    assert precision_recall(real, generated)[0] == 1
    assert density_coverage(real, generated) == pytest.approx((1 / 5, 1 / 300))


def test_what_cannot_be_compared():
    x = cloud(10)
    for measure in (precision_recall, density_coverage):
        for other in (cloud(10, 3), x[:5], x[0], x[:0]):
            with pytest.raises(DataError, match="with 6 examples or more, and these are"):
                measure(x, other, k=5)
        with pytest.raises(Diverged, match="not finite"):
            measure(x, x * math.nan)
        with pytest.raises(RecipeError, match="k must be"):
            measure(x, x, k=0)

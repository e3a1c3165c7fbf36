import math

import pytest
import torch

from autoencode.errors import DataError, RecipeError
from autoencode.evaluation.metrics.generation import gap_share, nearest_distances, uncertain_share


def cloud(n, d=3, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def gaps(reference, held_out, drawn, **options):
    of_test, of_drawn = (nearest_distances(x, reference) for x in (held_out, drawn))
    return gap_share(of_test, of_drawn, **options)


def sure(*highest):
    """Probabilities of three classes, the highest as given."""
    p = torch.tensor(highest)
    return torch.stack([(1 - p) / 2, p, (1 - p) / 2], 1)


def test_gaps_by_hand():
    reference = torch.zeros(1, 1)
    held_out = torch.arange(101.0)[:, None]  # 99 is as far as all but 1 % of them, or farther
    drawn = torch.tensor([[0.0], [-98.5], [99], [-99.5], [1000]])
    assert gaps(reference, held_out, drawn) == 2 / 5
    assert gaps(reference, held_out, drawn, level=0.5) == 4 / 5


def test_a_model_without_gaps():
    found = [
        gaps(cloud(500, seed=s), cloud(800, seed=s + 50), cloud(800, seed=s + 99), level=0.9)
        for s in range(20)
    ]
    assert sum(found) / len(found) == pytest.approx(0.1, abs=0.01)


def test_the_gap_between_two_classes():
    """Codes drawn evenly between two far clusters: only those near one are data."""

    def ends(seed):
        x = 0.1 * cloud(1000, seed=seed)
        x[::2, 0] += 10
        return x

    drawn = 0.1 * cloud(1000, seed=3)
    drawn[:, 0] += torch.linspace(0, 10, 1000)
    assert gaps(ends(0), ends(1), drawn) > 0.8
    assert gaps(ends(0), ends(1), ends(2)) < 0.03


def test_unsure_is_below_what_most_test_images_reach():
    test = sure(*(i / 200 for i in range(100, 201)))  # of 0.525 and below, 5 %
    found = uncertain_share(test, sure(0.4, 0.52, 0.53, 1.0))
    assert found.threshold == pytest.approx(0.525)
    assert found.share == 0.5
    assert found.of_test == pytest.approx(5 / 101)


def test_a_certain_classifier_does_not_make_the_almost_certain_unsure():
    test = torch.cat([sure(*[1.0] * 998), sure(0.5, 0.95)])
    found = uncertain_share(test, sure(1.0, 0.99999, 0.91, 0.89))
    assert found.threshold == pytest.approx(0.9)
    assert found.share == 0.25
    assert found.of_test == 0.001


def test_as_sure_as_the_test_images_is_sure():
    assert uncertain_share(sure(*[0.5] * 9), sure(0.5, 0.5)) == (0, 0, 0.5)
    assert uncertain_share(sure(*[1.0] * 9), sure(1.0, 1.0)) == (0, 0, 0.9)


def test_what_cannot_be_compared():
    x = cloud(10).norm(dim=1)
    for other in (cloud(10, 2), x[:0]):
        for pair in ((other, x), (x, other)):
            with pytest.raises(DataError, match="Distances are compared, one for each image"):
                gap_share(*pair)
    for level in (-0.1, 1.5):
        with pytest.raises(RecipeError, match="level"):
            gap_share(x, x, level)
    p = sure(0.5, 0.9)
    for other in (p[:, :2], p[0], p[:0]):
        with pytest.raises(DataError, match=r"\(N, K\) and \(M, K\)"):
            uncertain_share(p, other)
    for other in (p - 1, 2 * p, p * math.nan):
        with pytest.raises(DataError, match="numbers from 0 to 1"):
            uncertain_share(p, other)

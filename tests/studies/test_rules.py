from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from autoencode.data import load_data
from autoencode.studies.bottleneck import pca_errors
from autoencode.studies.rules import cluster_words, differ, elbow, lower, spread


@dataclass
class Seen:
    """A result with one figure."""

    value: float
    metrics: dict = field(default_factory=dict)

    def __getitem__(self, figure):
        return self.value


def seeds(*values):
    return [Seen(value) for value in values]


def single(value, low, high):
    return [Seen(value, {"intervals": {"error": [low, high]}})]


class Table:
    def __init__(self, **models):
        self.models = models

    def of(self, name):
        return self.models[name]

    def mean(self, name, figure):
        return np.mean([each[figure] for each in self.models[name]])


def test_seeds_are_compared_by_welch():
    near, far = (10.0, 10.4, 9.8), (10.3, 10.9, 10.2)
    assert stats.ttest_ind(near, far, equal_var=False).pvalue > 0.05
    assert not differ(seeds(*near), seeds(*far), "error")
    apart = tuple(value + 1 for value in far)
    assert stats.ttest_ind(near, apart, equal_var=False).pvalue < 0.05
    assert differ(seeds(*near), seeds(*apart), "error")
    assert differ(seeds(1, 1), seeds(2, 2), "error")
    assert not differ(seeds(1, 1), seeds(1, 1), "error")


def test_single_trainings_are_compared_by_their_intervals():
    assert not differ(single(10, 9, 11), single(11.5, 10.5, 12.5), "error")
    assert differ(single(10, 9, 11), single(12.5, 11.5, 13.5), "error")
    assert not differ(seeds(10), seeds(99), "error"), "nothing is known of the noise"


def test_lower_says_nothing_within_the_noise():
    table = Table(a=single(10, 9, 11), b=single(10.5, 9.5, 11.5), c=single(14, 13, 15))
    assert lower(table, "a", "b", "error") is None
    assert lower(table, "a", "c", "error") is True
    assert lower(table, "c", "a", "error") is False


def test_the_elbow_is_where_a_broken_line_breaks():
    sizes = [2, 4, 8, 16, 32, 64]
    assert elbow(sizes, [50, 30, 10, 9, 8, 7]) == 2
    assert elbow(sizes, [50, 49, 48, 47, 46, 10]) == 0, (
        "there is none: nothing lies below the chord"
    )
    assert elbow(sizes, [5, 5, 5, 5, 5, 5]) == 5
    assert elbow(sizes, [100, 20, 15, 10, 5, 0]) == 1


@pytest.mark.parametrize(
    ("ari", "words"),
    [
        (-0.01, "do not cluster"),
        (0.09, "do not cluster"),
        (0.3, "in part"),
        (0.6, "classes cluster"),
    ],
)
def test_words_for_clusters(ari, words):
    assert words in cluster_words(ari)


def test_the_spread_over_seeds_is_students():
    values = [1.0, 2.0, 4.0]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert spread(values) == pytest.approx((low, high))
    assert spread([3.0]) == (3.0, 3.0)


def test_pca_errors_against_scikit_learn(source):
    data = load_data(source)
    train, test = (part.x.flatten(1).double().numpy() / 255 for part in (data.train, data.test))
    for size, error in zip((2, 5), pca_errors(data, (2, 5)), strict=True):
        pca = PCA(size).fit(train)
        left = test - pca.inverse_transform(pca.transform(test))
        assert error == pytest.approx((left**2).sum(1).mean(), rel=1e-3)

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import PCA

from autoencode.data import load_data
from autoencode.studies import Verdict
from autoencode.studies.bottleneck import pca_errors
from autoencode.studies.rules import (
    cluster_agreement,
    compare_examples,
    elbow,
    every,
    paired_difference,
    seed_interval,
    some,
)

YES, NO, UNDECIDED, ONE_SEED = (
    Verdict.SUPPORTED,
    Verdict.NOT_SUPPORTED,
    Verdict.UNDECIDED,
    Verdict.ONE_SEED,
)


def test_differences_are_paired_by_seed():
    one, other = (10.0, 12.0, 9.0), (10.5, 12.6, 9.4)
    found = paired_difference(one, other)
    paired = stats.ttest_rel(one, other)
    assert paired.pvalue < 0.05 < stats.ttest_ind(one, other).pvalue, "unpaired it is all noise"
    assert found.interval == pytest.approx(tuple(paired.confidence_interval(0.95)))
    assert found.mean == pytest.approx(-0.5)
    assert found.pairs == "3 seeds"
    assert found.verdict("lower") is YES
    assert found.verdict("higher") is NO
    assert paired_difference((1, 2), (2, 1)).verdict("lower") is UNDECIDED
    assert paired_difference((1, 1), (1, 1)).verdict("lower") is UNDECIDED
    assert paired_difference((1, 1), (2, 2)).verdict("lower") is YES


def test_a_single_seed_is_decided_by_test_examples_only():
    assert paired_difference([1.0], [99.0]).verdict("lower") is ONE_SEED
    assert paired_difference([1.0], [99.0]).text() == "difference −98.0, one seed"
    rng = torch.Generator().manual_seed(0)
    differences = torch.randn(400, generator=rng, dtype=torch.float64)
    for shift, verdict in ((-1.0, YES), (1.0, NO), (-differences.mean().item(), UNDECIDED)):
        each = differences + shift
        found = paired_difference([each.mean().item()], [0.0], each)
        assert found.verdict("lower") is verdict
        assert found.interval == pytest.approx(
            stats.t.interval(0.95, 399, each.mean().item(), stats.sem(each.numpy()))
        )
        assert "95 % interval" in found.text()
        assert found.text().endswith("over 400 test examples of one seed")


def test_examples_decide_only_where_there_is_one_seed():
    one, other = torch.zeros(1, 50), torch.ones(1, 50) + torch.arange(50) % 3
    assert compare_examples(("a", one), ("b", other)).verdict is YES
    two = torch.cat([one, 4 * other]), torch.cat([other, other])
    assert compare_examples(("a", two[0]), ("b", two[1])).verdict is UNDECIDED


@pytest.mark.parametrize(
    ("verdicts", "of_every", "of_some"),
    [
        ([YES, YES], YES, YES),
        ([YES, NO, ONE_SEED], NO, YES),
        ([YES, UNDECIDED], UNDECIDED, YES),
        ([NO, UNDECIDED], NO, UNDECIDED),
        ([ONE_SEED, YES], ONE_SEED, YES),
        ([ONE_SEED, NO], NO, ONE_SEED),
        ([NO], NO, NO),
    ],
)
def test_verdicts_combine(verdicts, of_every, of_some):
    assert every(verdicts) is of_every
    assert some(verdicts) is of_some


def test_the_elbow_is_where_a_broken_line_breaks():
    sizes = [2, 4, 8, 16, 32, 64]
    assert elbow(sizes, [50, 30, 10, 9, 8, 7]) == 2
    assert elbow(sizes, [50, 49, 48, 47, 46, 10]) == 0, "nothing lies below the chord"
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
    assert words in cluster_agreement(ari)


def test_the_interval_over_seeds_is_students():
    values = [1.0, 2.0, 4.0]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert seed_interval(values) == pytest.approx((low, high))
    assert seed_interval([3.0]) == (3.0, 3.0)


def test_pca_errors_against_scikit_learn(source):
    data = load_data(source)
    train, test = (part.x.flatten(1).double().numpy() / 255 for part in (data.train, data.test))
    for size, errors in zip((2, 5), pca_errors(data, (2, 5)), strict=True):
        pca = PCA(size).fit(train)
        left = test - pca.inverse_transform(pca.transform(test))
        assert len(errors) == len(test)
        assert errors.mean().item() == pytest.approx((left**2).sum(1).mean(), rel=1e-3)

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import PCA

from autoencode.data import load_data
from autoencode.models.recipes.table import RECIPES
from autoencode.report.formatting import short
from autoencode.studies import Verdict
from autoencode.studies.bottleneck import pca_errors
from autoencode.studies.results import Result, Results, StudyRun
from autoencode.studies.rules import (
    by_seed,
    cluster_agreement,
    compare_examples,
    elbow,
    every,
    evidence,
    some,
)

YES, NO, UNDECIDED, ONE_SEED = (
    Verdict.SUPPORTED,
    Verdict.NOT_SUPPORTED,
    Verdict.UNDECIDED,
    Verdict.ONE_SEED,
)


def compared(one, other, *, expected="lower"):
    return evidence(("a", by_seed(one)), ("b", by_seed(other)), expected)


def test_differences_are_paired_by_seed():
    one, other = (10.0, 12.0, 9.0), (10.5, 12.6, 9.4)
    paired = stats.ttest_rel(one, other)
    assert paired.pvalue < 0.05 < stats.ttest_ind(one, other).pvalue, "unpaired it is all noise"
    found = compared(one, other)
    assert found.verdict is YES
    assert compared(one, other, expected="higher").verdict is NO
    ends = [short(end) for end in paired.confidence_interval(0.95)]
    assert found.text == (
        f"10.3 (a) against 10.8 (b): difference −0.500, 95 % interval {ends[0]} to {ends[1]}, "
        "paired t-test over 3 seeds"
    )
    assert compared((1, 2), (2, 1)).verdict is UNDECIDED
    assert compared((1, 1), (1, 1)).verdict is UNDECIDED
    assert compared((1, 1), (2, 2)).verdict is YES


def test_a_single_seed_is_decided_by_test_examples_only():
    assert compared([1.0], [99.0]).verdict is ONE_SEED
    assert compared([1.0], [99.0]).text.endswith("difference −98.0, one seed")
    each = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    zero = torch.zeros(1, 400)
    for shift, verdict in ((-1.0, YES), (1.0, NO), (-each.mean().item(), UNDECIDED)):
        found = compare_examples(("a", each[None] + shift), ("b", zero))
        assert found.verdict is verdict
        low, high = stats.t.interval(0.95, 399, each.mean() + shift, stats.sem(each.numpy()))
        assert f"95 % interval {short(low)} to {short(high)}" in found.text
        assert found.text.endswith("paired t-test over 400 test examples of one seed")


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
    run = SimpleNamespace(summary={})
    results = Results(
        [
            Result(StudyRun(model, RECIPES["ae"], {}, seed), run, {"error": error})
            for model, errors in (("three", values), ("one", [3.0]))
            for seed, error in enumerate(errors)
        ]
    )
    assert results.seed_interval("three", "error") == pytest.approx((low, high))
    assert results.seed_interval("one", "error") == (3.0, 3.0)


def test_pca_errors_against_scikit_learn(source):
    data = load_data(source)
    train, test = (part.x.flatten(1).double().numpy() / 255 for part in (data.train, data.test))
    for size, errors in zip((2, 5), pca_errors(data, (2, 5)), strict=True):
        pca = PCA(size).fit(train)
        left = test - pca.inverse_transform(pca.transform(test))
        assert len(errors) == len(test)
        assert errors.mean().item() == pytest.approx((left**2).sum(1).mean(), rel=1e-3)

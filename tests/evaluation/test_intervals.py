import numpy as np
import pytest
import scipy.stats
import torch

from autoencode.errors import DataError, RecipeError
from autoencode.evaluation.metrics.intervals import bootstrap, bootstrap_of, bootstrap_share


def test_the_interval_of_normal_means_is_the_normal_one():
    # Far from 0 by many spreads, where float32 sums would lose it.
    values = 1e4 + torch.randn(4_000, generator=torch.Generator().manual_seed(1)).double()
    low, high = bootstrap(values, resamples=4_000)
    half = 1.96 * values.std().item() / 4_000**0.5
    assert low == pytest.approx(values.mean().item() - half, abs=0.08 * half)
    assert high == pytest.approx(values.mean().item() + half, abs=0.08 * half)


def test_it_holds_the_true_mean_as_often_as_it_says():
    for level, seed in ((0.95, 0), (0.5, 1)):
        generator = torch.Generator().manual_seed(seed)
        inside = 0
        for trial in range(400):
            low, high = bootstrap(
                3 + torch.randn(100, generator=generator), resamples=200, level=level, seed=trial
            )
            inside += low <= 3 <= high
        spread = (level * (1 - level) / 400) ** 0.5
        assert abs(inside / 400 - level) < 4 * spread + 0.01  # 200 resamples are a little narrow


def test_against_scipy():
    values = torch.from_numpy(np.random.default_rng(0).exponential(2.0, 500))
    expected = scipy.stats.bootstrap(
        (values.numpy(),),
        np.mean,
        n_resamples=9_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    found = bootstrap(values, resamples=9_000, level=0.9)
    width = expected.high - expected.low
    assert found == pytest.approx((expected.low, expected.high), abs=0.03 * width)


def test_blocks_change_nothing_but_the_draws(monkeypatch):
    values = torch.rand(300, generator=torch.Generator().manual_seed(0))
    whole = bootstrap(values)
    monkeypatch.setattr("autoencode.evaluation.metrics.intervals.MAX_NUMBERS", 7 * 300)
    assert bootstrap(values) == pytest.approx(whole, abs=1e-12)  # the same stream, cut up
    assert bootstrap(values, seed=1) != whole
    assert bootstrap(values) == bootstrap(values)


def test_values_that_are_all_the_same_are_certain():
    assert bootstrap(torch.full((50,), 0.25)) == (0.25, 0.25)
    assert bootstrap(torch.tensor([7.0])) == (7, 7)
    assert bootstrap(torch.tensor([True, True])) == (1, 1)


def test_any_statistic_of_rows_that_stay_together():
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(400, 1, generator=generator)
    b = 0.8 * a + 0.6 * torch.randn(400, 1, generator=generator)

    def correlation(a, b):
        assert a.shape == b.shape == (400, 1)
        return torch.corrcoef(torch.cat([a, b], 1).T)[0, 1]

    low, high = bootstrap_of(correlation, a, b, resamples=1_000)
    # Fisher's transformation.
    centre, half = np.arctanh(correlation(a, b).item()), 1.96 / 397**0.5
    assert (low, high) == pytest.approx((np.tanh(centre - half), np.tanh(centre + half)), abs=0.01)
    assert bootstrap_of(correlation, a, b, seed=3) == bootstrap_of(correlation, a, b, seed=3)
    narrow = bootstrap_of(correlation, a, b, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_the_mean_by_both():
    values = torch.rand(500, generator=torch.Generator().manual_seed(0)).double()
    low, high = bootstrap(values, resamples=3_000)
    other = bootstrap_of(lambda v: v.mean(), values, resamples=3_000, seed=1)
    assert other == pytest.approx((low, high), abs=0.05 * (high - low))


def test_what_has_no_interval():
    for values in (torch.zeros(0), torch.zeros(3, 2), torch.tensor(1.0)):
        with pytest.raises(DataError, match="one number for each example"):
            bootstrap(values)
    for arrays in ((), (torch.zeros(3), torch.zeros(4)), (torch.zeros(0),)):
        with pytest.raises(DataError, match="one row for each example"):
            bootstrap_of(lambda *_: 0.0, *arrays)
    with pytest.raises(RecipeError, match="resamples"):
        bootstrap(torch.zeros(3), resamples=1)
    with pytest.raises(RecipeError, match="level"):
        bootstrap_of(lambda v: v.mean(), torch.zeros(3), level=1.0)


def test_global_randomness_is_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    bootstrap(torch.rand(5, generator=torch.Generator()))
    bootstrap_of(lambda v: v.mean(), torch.ones(5))
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_the_interval_of_a_share_is_that_of_its_examples():
    values = torch.tensor([1.0, 0, 0, 1, 0, 0, 0, 0, 0, 0]).repeat(30)
    low, high = bootstrap_share(0.2, 300)
    assert (low, high) == pytest.approx(bootstrap(values), abs=0.012)
    assert (low, high) == pytest.approx((0.155, 0.245), abs=0.01)  # 0.2 ± 1.96 √(0.16 / 300)
    assert bootstrap_share(0.0, 50) == (0.0, 0.0)

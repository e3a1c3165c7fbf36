"""Whether two models differ: intervals over seeds or test examples, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats  # type: ignore[import-untyped]

from autoencode.evaluation.metrics.arrays import Array
from autoencode.evaluation.thresholds import CONFIDENCE_LEVEL

# What an interval is taken over. Seeds speak for a recipe, examples for one trained model.
SEEDS, EXAMPLES = "seeds", "test examples"


@dataclass(frozen=True)
class Estimate:
    """A metric of a model with its noise.

    values: one for each seed.
    interval: lower and upper end of the 95 % interval; None if the noise is not known.
    over: what the interval is taken over, `SEEDS` or `EXAMPLES`; None without one.
    seeds: which seed each value is of; empty if they are not known.
    per_example: of a single seed, the values of the test examples, [N]; NaN if not measured.
    """

    values: tuple[float, ...]
    interval: tuple[float, float] | None
    over: str | None
    seeds: tuple[Any, ...] = ()
    per_example: Array | None = field(default=None, compare=False, repr=False)

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return math.fsum(self.values) / len(self.values)


@dataclass(frozen=True)
class Difference:
    """A metric of one model minus that of another.

    mean: in the unit of the metric.   interval: 95 %; None where the test gives none.
    test: the name of the test, with the number of its samples.
    over: `SEEDS` if it speaks for two recipes, `EXAMPLES` for two trained models, or both.
    significant: whether the test finds a difference at p < 0.05.
    """

    mean: float
    interval: tuple[float, float] | None
    test: str
    over: str
    significant: bool


def estimate(
    values: Sequence[float],
    interval: Sequence[float] | None = None,
    seeds: Sequence[Any] = (),
    per_example: ArrayLike | None = None,
) -> Estimate:
    """A metric of a model from the values of its seeds, one or more.

    interval, per_example: of a single seed, the interval over the test examples and their values.
        With several seeds they are not used, because they say nothing about other trainings.
    """
    each = tuple(float(value) for value in values)
    if len(each) > 1:
        return Estimate(each, t_interval(each), SEEDS, tuple(seeds))
    examples = None if per_example is None else np.asarray(per_example, float)
    if interval is None:
        return Estimate(each, None, None, tuple(seeds), examples)
    low, high = interval
    return Estimate(each, (float(low), float(high)), EXAMPLES, tuple(seeds), examples)


def t_interval(values: ArrayLike) -> tuple[float, float]:
    """The 95 % interval of a mean by Student's t, from two values or more.

    mean ± t · s / √n, where t is the 0.975 quantile of Student's distribution with n − 1 degrees of
    freedom and s the standard deviation of the n values. It assumes that the mean is normally
    distributed.  Source: [student1908].
    """
    mean, variance, n = _moments(values)
    return _around(mean, variance / n, n - 1)


def difference(one: Estimate, other: Estimate) -> Difference | None:
    """The value of the first model minus that of the second; None if the noise is not known.

    Both with several seeds: a paired t-test over the seeds if they are the same, else Welch's
    t-test [welch1947]. Both with one seed and the values of the same test examples: a paired
    t-test over the examples [student1908]. Otherwise the two separate intervals are compared: they
    differ if they do not overlap, which finds fewer differences.
    """
    mean = one.mean - other.mean
    if min(len(one.values), len(other.values)) > 1:
        if one.seeds and one.seeds == other.seeds:
            return _paired(one.values, other.values, SEEDS)
        (a, var_a, n), (b, var_b, m) = _moments(one.values), _moments(other.values)
        squares = (var_a / n, var_b / m)
        total = sum(squares)
        freedom = total**2 / (squares[0] ** 2 / (n - 1) + squares[1] ** 2 / (m - 1)) if total else 1
        interval = _around(a - b, total, freedom)
        return _judged(a - b, interval, f"Welch's t-test over {n} and {m} seeds", SEEDS)
    if len(one.values) == len(other.values) and one.per_example is not None:
        examples = other.per_example
        if examples is not None and examples.shape == one.per_example.shape:
            both = ~np.isnan(one.per_example - examples)
            if both.sum() > 1:
                return _paired(one.per_example[both], examples[both], EXAMPLES)
    if one.interval is None or other.interval is None:
        return None
    separate = one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]
    over = EXAMPLES if one.over == other.over else f"{SEEDS} and {EXAMPLES}"
    return Difference(mean, None, "overlap of the two 95 % intervals", over, separate)


def _paired(one: ArrayLike, other: ArrayLike, over: str) -> Difference:
    each = np.subtract(one, other, dtype=float)
    test = f"paired t-test over {len(each):,} {over}"
    return _judged(_moments(each)[0], t_interval(each), test, over)


def _judged(mean: float, interval: tuple[float, float], test: str, over: str) -> Difference:
    return Difference(mean, interval, test, over, not interval[0] <= 0 <= interval[1])


def _around(mean: float, squared_error: float, freedom: float) -> tuple[float, float]:
    """The interval of a mean with this squared standard error and degrees of freedom."""
    half = float(stats.t.ppf((1 + CONFIDENCE_LEVEL) / 2, freedom)) * math.sqrt(squared_error)
    return mean - half, mean + half


def _moments(values: ArrayLike) -> tuple[float, float, int]:
    """Mean, variance and number."""
    each = np.asarray(values, float)
    if np.ptp(each) == 0:  # the mean of equal numbers may differ from them by a rounding
        return float(each[0]), 0.0, len(each)
    return float(each.mean()), float(each.var(ddof=1)), len(each)

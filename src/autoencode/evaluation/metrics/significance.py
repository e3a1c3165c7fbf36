"""What of a figure is noise: intervals over seeds or test examples, and differences beyond them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats  # type: ignore[import-untyped]

# Of intervals; and the chance of calling a difference one where there is none.
LEVEL, ALPHA = 0.95, 0.05
SEEDS, EXAMPLES = "seeds", "test examples"


@dataclass(frozen=True)
class Estimate:
    """A figure of a model with what is known of its noise.

    values: of each seed, in their order.
    interval: lower and upper end of the 95 % interval; None where nothing is known of the noise.
    over: what the interval is taken over, `SEEDS` or `EXAMPLES`; None without one.
    """

    values: tuple[float, ...]
    interval: tuple[float, float] | None
    over: str | None

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return math.fsum(self.values) / len(self.values)

    @property
    def half(self) -> float | None:
        """Half of the interval's width: what stands behind ±."""
        return None if self.interval is None else (self.interval[1] - self.interval[0]) / 2


def estimate(values: Sequence[float], examples: Sequence[float] | None = None) -> Estimate:
    """A figure from the values of its seeds, one or more.

    examples: of a single seed, the interval over test examples, if there is one; of several it is
        not looked at, as it says nothing of how trainings differ.
    """
    each = tuple(float(value) for value in values)
    if len(each) > 1:
        return Estimate(each, t_interval(each), SEEDS)
    if examples is None:
        return Estimate(each, None, None)
    low, high = examples
    return Estimate(each, (float(low), float(high)), EXAMPLES)


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Where the mean over all seeds lies, by Student's t from two or more of them.

    mean ± t · s / √n, where t is the 0.975 quantile of Student's distribution of n − 1 degrees of
    freedom and s the standard deviation of the n values. It takes seeds to be normally distributed.
    Source: [student1908].
    """
    mean, spread, n = _moments(values)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * spread / math.sqrt(n)
    return mean - half, mean + half


def differ(one: Estimate, other: Estimate) -> bool:
    """Whether two models differ in a figure by more than its noise.

    Where both have several seeds: Welch's t-test, two-sided, p < 0.05, which does not take them to
    be equally noisy.  Else: intervals that do not meet; where one of the two has none, nothing can
    be said, and they do not.  Source: [welch1947].
    """
    if len(one.values) > 1 and len(other.values) > 1:
        return welch(one.values, other.values) < ALPHA
    if one.interval is None or other.interval is None:
        return False
    return one.interval[1] < other.interval[0] or other.interval[1] < one.interval[0]


def welch(one: Sequence[float], other: Sequence[float]) -> float:
    """The p of Welch's two-sided t-test of two lists of two values or more; without noise 0 or 1.

    Source: [welch1947].
    """
    a, b = _moments(one), _moments(other)
    if a[1] == b[1] == 0:
        return float(a[0] == b[0])
    return float(stats.ttest_ind_from_stats(*a, *b, equal_var=False).pvalue)


def _moments(values: Sequence[float]) -> tuple[float, float, int]:
    """Mean, standard deviation and number."""
    n = len(values)
    mean = math.fsum(values) / n
    if len(set(values)) == 1:  # the mean of equal numbers may be off by a rounding
        return values[0], 0.0, n
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1)), n

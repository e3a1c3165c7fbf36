"""How sure a figure is, given the examples that it was taken over: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError

# Positions drawn at once.
MOST_NUMBERS = 2**20

Array = np.ndarray[Any, Any]


def bootstrap(
    values: Tensor, resamples: int = 1_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Where the mean of values [N], one for each example, lies: a percentile bootstrap interval.

    The (1 − level)/2 and (1 + level)/2 quantiles of the means of `resamples` sets of N values
    drawn with replacement, in the unit of the values. It says how far the figure of other test
    examples might be for this very model; how trainings differ it does not say. With few or very
    skewed values it is somewhat too narrow.  Source: [efron1993], chapter 13.

    Raises:
        DataError: no values, or no list of them.
        RecipeError: `resamples` is no whole number from 2 up, or `level` not between 0 and 1.
    """
    _check(resamples, level)
    if values.dim() != 1 or len(values) == 0:
        raise DataError(
            "An interval is that of the mean of one number for each example, and these have the "
            f"shape {tuple(values.shape)}"
        )
    numbers = values.detach().cpu().double().numpy()
    # Differences from the mean lose no digits of a small spread.
    centre = numbers.mean()
    apart, n = numbers - centre, len(numbers)
    rng, rows = np.random.default_rng(seed), max(1, MOST_NUMBERS // n)
    means = [
        apart[rng.integers(n, size=(min(rows, resamples - done), n), dtype=np.int32)].mean(1)
        for done in range(0, resamples, rows)
    ]
    return _between(centre + np.concatenate(means), level)


def of_share(share: float, n: int) -> tuple[float, float]:
    """As `bootstrap`, of the share of n examples of which something is true."""
    return bootstrap((torch.arange(n) < round(share * n)).double())


def bootstrap_of(
    statistic: Callable[..., float],
    *arrays: Tensor,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """As `bootstrap`, for any statistic of tensors with one row for each example, [N, ...] each.

    The statistic is taken anew of each resample, whose rows are the same of every tensor:
    bootstrap_of(adjusted_rand, clusters, labels). Copies of an example are each other's nearest
    neighbours, so that it has no meaning for statistics of distances between examples.
    Source: [efron1993], chapter 13.

    Raises:
        DataError: no rows, or not as many in each tensor; or what the statistic raises.
        RecipeError: as `bootstrap`.
    """
    _check(resamples, level)
    counts = {len(array) for array in arrays}
    if len(counts) != 1 or counts == {0}:
        raise DataError(
            "An interval is that of tensors with one row for each example, and these have "
            f"{', '.join(str(len(array)) for array in arrays) or 'no'} rows"
        )
    n, rng = counts.pop(), np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        rows = torch.from_numpy(rng.integers(n, size=n))
        found.append(float(statistic(*(array[rows.to(array.device)] for array in arrays))))
    return _between(np.array(found), level)


def _between(found: Array, level: float) -> tuple[float, float]:
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _check(resamples: int, level: float) -> None:
    check_value(resamples, Annotated[int, Within(2, 10**9)], "resamples")
    check_value(level, Annotated[float, Within(1e-9, 1 - 1e-9)], "level")

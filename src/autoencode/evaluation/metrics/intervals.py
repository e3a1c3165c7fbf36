"""Bootstrap intervals of metrics over the examples that they were measured on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import Array
from autoencode.evaluation.thresholds import CONFIDENCE_LEVEL

# Positions drawn at once.
MAX_NUMBERS = 2**20


def bootstrap(
    values: Tensor, resamples: int = 1_000, level: float = CONFIDENCE_LEVEL, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean of values [N], one for each example.

    The (1 − level)/2 and (1 + level)/2 quantiles of the means of `resamples` sets of N values
    drawn with replacement, in the unit of the values. It covers other test examples for this very
    model; it says nothing about other trainings. With few or very skewed values it is somewhat too
    narrow.  Source: [efron1993], chapter 13.

    Raises:
        DataError: no values, or another shape.
        RecipeError: `resamples` is not a whole number from 2 up, or `level` not between 0 and 1.
    """
    _check(resamples, level)
    if values.dim() != 1 or len(values) == 0:
        raise DataError(
            "A bootstrap interval needs one number for each example, and these have the shape "
            f"{tuple(values.shape)}"
        )
    numbers = values.detach().cpu().double().numpy()
    # Differences from the mean keep the digits of a small spread.
    centre = numbers.mean()
    deviations, n = numbers - centre, len(numbers)
    rng, rows = np.random.default_rng(seed), max(1, MAX_NUMBERS // n)
    means = [
        deviations[rng.integers(n, size=(min(rows, resamples - done), n), dtype=np.int32)].mean(1)
        for done in range(0, resamples, rows)
    ]
    return _between(centre + np.concatenate(means), level)


def bootstrap_share(share: float, n: int) -> tuple[float, float]:
    """As `bootstrap`, for a share of n examples."""
    return bootstrap((torch.arange(n) < round(share * n)).double())


def bootstrap_of(
    statistic: Callable[..., float],
    *arrays: Tensor,
    resamples: int = 200,
    level: float = CONFIDENCE_LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """As `bootstrap`, for any statistic of tensors with one row for each example, [N, ...] each.

    The statistic is computed for each resample, with the same rows of every tensor:
    bootstrap_of(adjusted_rand, clusters, labels). It has no meaning for statistics of distances
    between examples, because copies of an example are each other's nearest neighbours.
    Source: [efron1993], chapter 13.

    Raises:
        DataError: no rows, or different numbers of rows; or an error of the statistic.
        RecipeError: as `bootstrap`.
    """
    _check(resamples, level)
    counts = {len(array) for array in arrays}
    if len(counts) != 1 or counts == {0}:
        raise DataError(
            "A bootstrap interval needs tensors with one row for each example, and these have "
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

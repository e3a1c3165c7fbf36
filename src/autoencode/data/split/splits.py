"""Random division into training, validation and test, stratified by class."""

from __future__ import annotations

import numpy as np

from autoencode.errors import DataError

TEST_FRACTION = 0.2  # of all examples, if the source has no test part
VALIDATION_FRACTION = 0.1  # of the training part
MAX_VALIDATION = 2500  # examples, unless their number is given
# Smaller classes cannot be in all three parts; they form one stratum together.
MIN_STRATUM = 3


def draw(count: int, labels: np.ndarray | None, n: int, rng: np.random.Generator) -> np.ndarray:
    """A mask [N] of `count` random examples, from each class in proportion to its size.

    >>> labels = np.array([0] * 80 + [1] * 20)
    >>> chosen = draw(10, labels, 100, np.random.default_rng(0))
    >>> int(chosen[:80].sum()), int(chosen[80:].sum())
    (8, 2)
    """
    strata = np.zeros(n, np.int64)
    if labels is not None:
        values, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        strata = np.where(sizes[inverse] < MIN_STRATUM, len(values), inverse)
    _, strata, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    share = count * sizes / n
    take = np.floor(share).astype(int)
    # The rest goes to the largest remainders; equal remainders are in random order.
    order = np.lexsort((rng.random(len(sizes)), take - share))
    take[order[: count - take.sum()]] += 1
    chosen = np.zeros(n, bool)
    for stratum, number in enumerate(take):
        chosen[rng.permutation(np.flatnonzero(strata == stratum))[:number]] = True
    return chosen


def draw_groups(count: int, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A mask [N] of random whole groups, with about `count` examples; at least one group is left.

    >>> groups = np.repeat([0, 1, 2, 3], 5)
    >>> chosen = draw_groups(5, groups, np.random.default_rng(0))
    >>> int(chosen.sum()), len(np.unique(groups[chosen]))
    (5, 1)
    """
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))[:-1]
    # As many groups as come nearest to the count, and at least one.
    taken = 1 + np.abs(np.cumsum(sizes[order]) - count).argmin()
    return np.isin(inverse, order[:taken])


def split(
    n: int,
    labels: np.ndarray | None,
    seed: int,
    *,
    test: bool,
    validation: bool,
    wanted: int | float | None = None,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Divide n examples into parts: the sorted positions of the examples of each part.

    test, validation: which parts to draw; all other examples are for training.
    wanted: number of validation examples, or their fraction; None is a tenth, at most 2,500.
    groups: [N]; examples of one group stay in one part. Then parts are not stratified, and their
        sizes are as near to the requested ones as whole groups allow.

    Raises:
        DataError: too few examples.
    """
    least = 1 + test + validation
    if n < least:
        raise DataError(
            f"There {'is only 1 example' if n == 1 else f'are only {n} examples'}, and training, "
            f"validation and test need at least one each, {least} in total",
            "Give more data.",
        )
    if groups is not None and (distinct := len(np.unique(groups))) < least:
        raise DataError(
            f"The examples form {distinct} group{'' if distinct == 1 else 's'}, and training, "
            f"validation and test need at least one each, {least} in total",
            "Group by something that differs more: --group.",
        )
    left, parts = np.arange(n), {}
    if test:
        rng = np.random.default_rng((seed, 1))
        count = min(max(1, round(TEST_FRACTION * n)), n - 1 - validation)
        chosen = draw(count, labels, n, rng) if groups is None else draw_groups(count, groups, rng)
        parts["test"], left = left[chosen], left[~chosen]
    if validation:
        rng = np.random.default_rng((seed, 2))
        count = _validation(wanted, len(left))
        if groups is None:
            chosen = draw(count, None if labels is None else labels[left], len(left), rng)
        else:
            chosen = draw_groups(count, groups[left], rng)
        parts["validation"], left = left[chosen], left[~chosen]
    return {"train": left, **parts}


def _validation(wanted: int | float | None, n: int) -> int:
    if wanted is None:
        return min(max(1, round(VALIDATION_FRACTION * n)), MAX_VALIDATION)
    count = wanted if isinstance(wanted, int) else max(1, round(wanted * n))
    if count >= n:
        raise DataError(
            f"{count:,} validation examples are requested, but only {n:,} are left for training",
            "Give a smaller number: --validation.",
        )
    return count

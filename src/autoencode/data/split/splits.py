"""Training, validation and test: seeded, and in the proportions of the classes."""

from __future__ import annotations

import numpy as np

from autoencode.errors import DataError

TEST = 0.2  # of all, where the source has no test part of its own
VALIDATION, MOST = 0.1, 2500  # of the training part
# A class with fewer examples cannot be in all three parts; such classes are drawn from together.
SMALL = 3


def draw(count: int, labels: np.ndarray | None, n: int, rng: np.random.Generator) -> np.ndarray:
    """A mask [N] with `count` examples chosen, from each class its share, rounded either way.

    >>> labels = np.array([0] * 80 + [1] * 20)
    >>> chosen = draw(10, labels, 100, np.random.default_rng(0))
    >>> int(chosen[:80].sum()), int(chosen[80:].sum())
    (8, 2)
    """
    strata = np.zeros(n, np.int64)
    if labels is not None:
        values, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        strata = np.where(sizes[inverse] < SMALL, len(values), inverse)
    _, strata, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    share = count * sizes / n
    take = np.floor(share).astype(int)
    # The largest remainders get what is left; equal ones in an order drawn by lot.
    order = np.lexsort((rng.random(len(sizes)), take - share))
    take[order[: count - take.sum()]] += 1
    chosen = np.zeros(n, bool)
    for stratum, number in enumerate(take):
        chosen[rng.permutation(np.flatnonzero(strata == stratum))[:number]] = True
    return chosen


def split(
    n: int,
    labels: np.ndarray | None,
    seed: int,
    *,
    test: bool,
    validation: bool,
    wanted: int | float | None = None,
) -> dict[str, np.ndarray]:
    """The examples of each part, as sorted positions [n], of N that are to be divided.

    test, validation: which parts to draw; what is not drawn remains for training.
    wanted: validation examples, or their fraction; None is a tenth, at most 2,500.

    Raises:
        DataError: too few examples.
    """
    least = 1 + test + validation
    if n < least:
        raise DataError(
            f"There {'is only 1 example' if n == 1 else f'are only {n} examples'}, and training, "
            f"validation and test need one each, {least} in all",
            "Give more data.",
        )
    left, parts = np.arange(n), {}
    if test:
        rng = np.random.default_rng((seed, 1))
        count = min(max(1, round(TEST * n)), n - 1 - validation)
        chosen = draw(count, labels, n, rng)
        parts["test"], left = left[chosen], left[~chosen]
    if validation:
        rng = np.random.default_rng((seed, 2))
        count = _validation(wanted, len(left))
        chosen = draw(count, None if labels is None else labels[left], len(left), rng)
        parts["validation"], left = left[chosen], left[~chosen]
    return {"train": left, **parts}


def _validation(wanted: int | float | None, n: int) -> int:
    if wanted is None:
        return min(max(1, round(VALIDATION * n)), MOST)
    count = wanted if isinstance(wanted, int) else max(1, round(wanted * n))
    if count >= n:
        raise DataError(
            f"{count:,} validation examples are asked for, of {n:,} that are there to train on",
            "Give a smaller number: --validation.",
        )
    return count

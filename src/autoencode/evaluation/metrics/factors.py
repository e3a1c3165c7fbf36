"""What single numbers of a code say of factors, and the checks that every such figure needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

import numpy as np
from sklearn.metrics import mutual_info_score  # type: ignore[import-untyped]
from sklearn.tree import DecisionTreeClassifier  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError, Diverged

Array = np.ndarray[Any, Any]


def checked(
    *parts: tuple[Tensor, Tensor], unordered: Collection[int] = (), least: int = 1
) -> tuple[list[tuple[Array, Array]], Array]:
    """Codes [N, d] and factors [N, F] that vary in each part, and which of these are unordered.

    parts: pairs of both, as for training and test.
    unordered: positions of columns whose numbers are mere names.
    least: as many factors must vary.

    Raises:
        DataError: not one row of whole numbers for each code, two sizes of code, a position that is
            no column, or too few factors that vary.
        Diverged: codes that are not finite.
    """
    width = parts[0][1].shape[-1] if parts[0][1].dim() == 2 else 0
    for codes, factors in parts:
        whole = not (factors.is_floating_point() or factors.is_complex())
        if not whole or factors.shape != (len(codes), width) or codes[0:1].numel() == 0:
            raise DataError(
                "Each code needs one row of whole numbers, the values of the factors, and there "
                f"are codes of shape {tuple(codes.shape)} and factors of shape "
                f"{tuple(factors.shape)} and type {factors.dtype}"
            )
        if codes.shape[1:] != parts[0][0].shape[1:]:
            raise DataError(
                f"Training codes of shape {tuple(parts[0][0].shape[1:])} tell nothing of test "
                f"codes of shape {tuple(codes.shape[1:])}"
            )
        if not codes.isfinite().all():
            raise Diverged(
                "Some codes are not finite numbers", "Train the model again, with a smaller lr."
            )
    if not set(unordered) <= set(range(width)):
        raise DataError(f"The unordered factors are {[*unordered]}, of {width} columns from 0 on")
    kept = np.all([(f != f[:1]).any(0).cpu().numpy() for _, f in parts], 0)
    if kept.sum() < least:
        raise DataError(
            f"{least} factors or more must vary, and {kept.sum()} of {width} do",
            "Give examples of several values.",
        )
    named = np.isin(np.arange(width), [*unordered])[kept]
    found = [
        (codes.flatten(1).cpu().double().numpy(), factors.cpu().long().numpy()[:, kept])
        for codes, factors in parts
    ]
    return found, named


def information(z: Array, v: Array, bins: int) -> Array:
    """I(zᵢ; v), nats, of codes [N, d], in bins of equal width, and factors [N, F]: [d, F].

    Raises:
        RecipeError: `bins` is no whole number from 2 to 1,000.
    """
    check_value(bins, Annotated[int, Within(2, 1_000)], "bins")
    low, width = z.min(0), np.ptp(z, 0)
    shares = np.divide(z - low, width, out=np.zeros_like(z), where=width > 0)
    places = np.minimum((shares * bins).astype(int), bins - 1)
    found = np.empty((z.shape[1], v.shape[1]))
    for k, each in enumerate(v.T):
        values, column = np.unique(each, return_inverse=True)
        for i, place in enumerate(places.T):
            cells = np.bincount(place * len(values) + column, minlength=bins * len(values))
            table = cells.reshape(bins, len(values))
            found[i, k] = mutual_info_score(None, None, contingency=table)
    return found


def regressions(z: Array, v: Array) -> Array:
    """R² of the linear regression of a factor on each number: the squared correlation, [d]."""
    z, w = z - z.mean(0), v - v.mean()
    scale = (z**2).sum(0) * (w**2).sum()
    return np.asarray(np.divide((w @ z) ** 2, scale, out=np.zeros_like(scale), where=scale > 0))


def thresholds(z: Array, v: Array, seed: int) -> Array:
    """Balanced accuracy of a factor told by thresholds on each number, [d]."""
    order = np.random.default_rng(seed).permutation(len(z))
    # Every second code of each value, so that both halves have all values.
    order = order[np.argsort(v[order], kind="stable")]
    fitted, held = order[::2], order[1::2]
    values, sizes = np.unique(v[held], return_counts=True)
    share = 1 / (len(values) * sizes[np.searchsorted(values, v[held])])
    tree = DecisionTreeClassifier(
        max_leaf_nodes=len(np.unique(v)), class_weight="balanced", random_state=seed
    )
    told = [tree.fit(each[fitted, None], v[fitted]).predict(each[held, None]) for each in z.T]
    return np.array([share[answers == v[held]].sum() for answers in told])

"""Scores of single latent dimensions for a factor, and the checks of codes and factors."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

import numpy as np
from sklearn.metrics import mutual_info_score, recall_score
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import Array, check_finite


def checked_factors(
    *parts: tuple[Tensor, Tensor], unordered: Collection[int] = (), least: int = 1
) -> tuple[list[tuple[Array, Array]], Array]:
    """Codes [N, d], the factors [N, F] that vary in each part, and which columns are unordered.

    parts: pairs of both, for training and test.
    unordered: positions of columns whose numbers are only names.
    least: the smallest number of factors that must vary.

    Raises:
        DataError: not one row of whole numbers for each code, two sizes of code, a position that is
            not a column, or too few factors that vary.
        Diverged: codes that are not finite.
    """
    width = parts[0][1].shape[-1] if parts[0][1].dim() == 2 else 0
    for codes, factors in parts:
        integral = not (factors.is_floating_point() or factors.is_complex())
        if not integral or factors.shape != (len(codes), width) or codes[0:1].numel() == 0:
            raise DataError(
                "Each code needs one row of whole numbers, the values of the factors, and there "
                f"are codes of shape {tuple(codes.shape)} and factors of shape "
                f"{tuple(factors.shape)} and type {factors.dtype}"
            )
        if codes.shape[1:] != parts[0][0].shape[1:]:
            raise DataError(
                f"Training codes of shape {tuple(parts[0][0].shape[1:])} do not fit test "
                f"codes of shape {tuple(codes.shape[1:])}"
            )
        check_finite(codes, "codes")
    if not set(unordered) <= set(range(width)):
        raise DataError(f"The unordered factors are {[*unordered]}, of {width} columns from 0 on")
    varying = np.all([(f != f[:1]).any(0).cpu().numpy() for _, f in parts], 0)
    if varying.sum() < least:
        raise DataError(
            f"{least} factors or more must vary, and {varying.sum()} of {width} do",
            "Give examples of several values.",
        )
    is_unordered = np.isin(np.arange(width), [*unordered])[varying]
    found = [
        (codes.flatten(1).cpu().double().numpy(), factors.cpu().long().numpy()[:, varying])
        for codes, factors in parts
    ]
    return found, is_unordered


def mutual_information(z: Array, v: Array, bins: int) -> Array:
    """I(zᵢ; v), nats, of codes [N, d], in bins of equal width, and factors [N, F]: [d, F].

    Raises:
        RecipeError: `bins` is not a whole number from 2 to 1,000.
    """
    check_value(bins, Annotated[int, Within(2, 1_000)], "bins")
    low, width = z.min(0), np.ptp(z, 0)
    shares = np.divide(z - low, width, out=np.zeros_like(z), where=width > 0)
    places = np.minimum((shares * bins).astype(int), bins - 1)
    found = [[mutual_info_score(place, each) for each in v.T] for place in places.T]
    return np.array(found)


def regression_scores(z: Array, v: Array) -> Array:
    """R² of the linear regression of a factor on each dimension: the squared correlation, [d]."""
    z, w = z - z.mean(0), v - v.mean()
    scale = (z**2).sum(0) * (w**2).sum()
    return np.asarray(np.divide((w @ z) ** 2, scale, out=np.zeros_like(scale), where=scale > 0))


def threshold_scores(z: Array, v: Array, seed: int) -> Array:
    """Balanced accuracy of a factor predicted by thresholds on each dimension, [d]."""
    order = np.random.default_rng(seed).permutation(len(z))
    # Every second code of each value, so that both halves have all values.
    order = order[np.argsort(v[order], kind="stable")]
    fitted, scored = order[::2], order[1::2]
    values = np.unique(v[scored])
    tree = DecisionTreeClassifier(
        max_leaf_nodes=len(np.unique(v)), class_weight="balanced", random_state=seed
    )
    predicted = [
        tree.fit(each[fitted, None], v[fitted]).predict(each[scored, None]) for each in z.T
    ]
    return np.array(
        [recall_score(v[scored], each, labels=values, average="macro") for each in predicted]
    )

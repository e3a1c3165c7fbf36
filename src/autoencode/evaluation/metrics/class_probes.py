"""How well the class of an example can be predicted from its code: k-NN and a linear probe."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.contract import Within
from autoencode.errors import DataError, RecipeError
from autoencode.evaluation.metrics.arrays import Array, check_finite

NEIGHBOURS = 10
# Penalties λ of a linear probe, from strong to weak.
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
# More steps of L-BFGS change no accuracy; directions without a penalty would take many.
MAX_STEPS = 200


def knn_hits(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    k: int = NEIGHBOURS,
) -> Tensor:
    """Whether the `k` nearest training codes classify each test code correctly: [N], bool.

    Codes [N, *Z] and labels [N]; Euclidean distance and a majority vote, in which the lower label
    wins a tie. With fewer than `k` training codes all of them vote. The mean is the accuracy.

    Raises:
        DataError: not one label for each code, no codes, or two sizes of code.
        RecipeError: `k` is not a positive whole number.
        Diverged: codes that are not finite.
    """
    check_value(k, Count, "k")
    codes, labels, queries, truth = _checked(train_codes, train_labels, test_codes, test_labels)
    # A tree is faster for a few dimensions, and far slower for many or for codes that coincide.
    neighbours = KNeighborsClassifier(min(k, len(codes)), algorithm="brute")
    return torch.from_numpy(neighbours.fit(codes, labels).predict(queries) == truth)


def linear_probe_hits(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    penalties: Sequence[float] = PENALTIES,
) -> Tensor:
    """Whether multinomial logistic regression classifies each test code correctly: [N], bool.

    Codes [N, *Z] and labels [N]. Each latent dimension that varies is standardised to mean 0 and
    variance 1 over the training codes. Fitted by L-BFGS to the mean cross-entropy in nats plus
    λ/2 ‖W‖², without a penalty on the intercepts. λ is the first of `penalties` with the highest
    accuracy on a fifth of the training codes, drawn by a fixed seed, when fitted to the others;
    the final fit with that λ uses all training codes. The mean is the accuracy of the probe.
    Source: [alain2016].

    Raises:
        DataError: as `knn_hits`; or the training labels are of one class.
        RecipeError: a penalty is not a positive number, or there is none.
        Diverged: codes that are not finite.
    """
    if not penalties:
        raise RecipeError("A linear probe has no penalty to choose from", "Give one or more.")
    for penalty in penalties:
        check_value(penalty, Annotated[float, Within(1e-12, 1e12)], "penalties")
    codes, labels, queries, truth = _checked(train_codes, train_labels, test_codes, test_labels)
    if len(np.unique(labels)) < 2:
        raise DataError("A linear probe needs training codes of two classes or more")
    scaler = StandardScaler().fit(codes)
    codes, queries = scaler.transform(codes), scaler.transform(queries)
    fitted, validation = _split(labels)
    strength = penalties[0]
    if len(penalties) > 1 and len(validation):
        x, y = codes[fitted], labels[fitted]
        scores = [
            _logistic(x, y, p).score(codes[validation], labels[validation]) for p in penalties
        ]
        strength = penalties[int(np.argmax(scores))]
    return torch.from_numpy(_logistic(codes, labels, strength).predict(queries) == truth)


def _checked(
    train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> list[Array]:
    """Codes [N, d] and labels [N] of both parts, as scikit-learn takes them.

    Raises:
        DataError: not one label for each code, no codes, or two sizes of code.
        Diverged: codes that are not finite.
    """
    if train_codes.shape[1:] != test_codes.shape[1:]:
        raise DataError(
            f"Training codes of shape {tuple(train_codes.shape[1:])} do not fit test codes "
            f"of shape {tuple(test_codes.shape[1:])}"
        )
    found: list[Array] = []
    for part, codes, labels in (
        ("training", train_codes, train_labels),
        ("test", test_codes, test_labels),
    ):
        if len(codes) != len(labels) or len(codes) == 0:
            raise DataError(
                f"Each code needs one label, and there are {len(codes):,} {part} codes and "
                f"{len(labels):,} labels"
            )
        check_finite(codes, f"{part} codes")
        found += [codes.flatten(1).cpu().numpy(), labels.cpu().numpy()]
    return found


def _split(labels: Array) -> tuple[Array, Array]:
    """Positions to fit to, with each class at least once, and a fifth to choose the penalty by."""
    order = np.random.default_rng(0).permutation(len(labels))
    _, needed = np.unique(labels[order], return_index=True)
    order = np.concatenate([order[needed], np.delete(order, needed)])
    cut = max(len(needed), len(order) - len(order) // 5)
    return order[:cut], order[cut:]


def _logistic(codes: Array, labels: Array, penalty: float) -> LogisticRegression:
    # C weighs the sum of the cross-entropies, λ their mean.
    model = LogisticRegression(C=1 / (penalty * len(codes)), max_iter=MAX_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(codes, labels)
    return model

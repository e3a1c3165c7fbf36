"""What codes hold: nats for each dimension, and which class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.neighbors import KNeighborsClassifier  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from autoencode.arguments import check_value
from autoencode.contract import Autoencoder, Within
from autoencode.errors import DataError, Diverged, RecipeError
from autoencode.models.inference import BATCH_SIZE, in_batches

NEIGHBOURS = 10
# λ of a linear probe, from strong to weak.
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
# More steps of L-BFGS change no figure; directions that no penalty holds would take many.
MOST_STEPS = 200

Array = np.ndarray[Any, Any]


def kl_per_dimension(
    model: Autoencoder, x: Tensor, context: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor | None:
    """KL(q(zᵢ|x) ‖ p(zᵢ)) of each number zᵢ of the code, nats, mean over the examples: [d].

    A dimension at 0 nats says nothing about x. The sum over i is the whole rate.
    None unless posterior and prior are normal with independent dimensions.
    """

    def summed(batch: Tensor, known: Tensor | None) -> Tensor | None:
        q, p = _normals(model.encode(batch, known).q), _normals(model.prior(known))
        return None if q is None or p is None else kl_divergence(q, p).sum(0).flatten().cpu()

    found = in_batches(model, x, summed, "KL", batch_size, context)
    sums = [nats for nats in found if nats is not None]
    return (torch.stack(sums).double().sum(0) / len(x)).float() if sums else None


def knn_accuracy(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    k: int = NEIGHBOURS,
) -> float:
    """The fraction of test codes whose class is that of most of their `k` nearest training codes.

    See `knn_hits`.
    """
    hits = knn_hits(train_codes, train_labels, test_codes, test_labels, k)
    return hits.double().mean().item()


def knn_hits(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    k: int = NEIGHBOURS,
) -> Tensor:
    """Whether the class of each test code is that of most of its `k` nearest training codes: [N].

    Codes [N, *Z] and labels [N]; Euclidean distance, one vote each, of equal counts the lower label
    wins. With fewer than `k` training codes all of them vote.

    Raises:
        DataError: not one label for each code, no codes at all, or two sizes of code.
        RecipeError: `k` is no positive whole number.
        Diverged: codes that are not finite.
    """
    check_value(k, Annotated[int, Within(1, 10**9)], "k")
    codes, labels, queries, truth = _checked(train_codes, train_labels, test_codes, test_labels)
    # A tree is quicker for a few dimensions, and far slower for many or for codes that coincide.
    neighbours = KNeighborsClassifier(min(k, len(codes)), algorithm="brute")
    return torch.from_numpy(neighbours.fit(codes, labels).predict(queries) == truth)


def linear_probe(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    penalties: Sequence[float] = PENALTIES,
) -> float:
    """The fraction of test codes whose class multinomial logistic regression tells from the code.

    See `linear_probe_hits`.
    """
    hits = linear_probe_hits(train_codes, train_labels, test_codes, test_labels, penalties)
    return hits.double().mean().item()


def linear_probe_hits(
    train_codes: Tensor,
    train_labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    penalties: Sequence[float] = PENALTIES,
) -> Tensor:
    """Whether multinomial logistic regression tells the class of each test code: [N], bool.

    Codes [N, *Z] and labels [N]. Each number of the code is brought to mean 0 and variance 1 over
    the training codes, where it varies at all. Fitted by L-BFGS to the mean cross-entropy in nats
    plus λ/2 ‖W‖², without a penalty of the intercepts. λ is the one of `penalties` that does best
    on a fifth of the training codes, drawn by a fixed seed, when fitted to the others; of equals
    the first. With that λ all training codes are used.  Source: [alain2016].

    Raises:
        DataError: as `knn_accuracy`; or the training labels are of one class.
        RecipeError: a penalty is no positive number, or there is none.
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
    fitted, held = _drawn(labels)
    strength = penalties[0]
    if len(penalties) > 1 and len(held):
        x, y = codes[fitted], labels[fitted]
        scores = [_logistic(x, y, p).score(codes[held], labels[held]) for p in penalties]
        strength = penalties[int(np.argmax(scores))]
    return torch.from_numpy(_logistic(codes, labels, strength).predict(queries) == truth)


def _checked(
    train_codes: Tensor, train_labels: Tensor, test_codes: Tensor, test_labels: Tensor
) -> tuple[Array, Array, Array, Array]:
    """Codes [N, d] and labels [N] of both parts, as scikit-learn takes them.

    Raises:
        DataError: not one label for each code, no codes at all, or two sizes of code.
        Diverged: codes that are not finite.
    """
    if train_codes.shape[1:] != test_codes.shape[1:]:
        raise DataError(
            f"Training codes of shape {tuple(train_codes.shape[1:])} tell nothing of test codes "
            f"of shape {tuple(test_codes.shape[1:])}"
        )
    for part, codes, labels in (
        ("training", train_codes, train_labels),
        ("test", test_codes, test_labels),
    ):
        if len(codes) != len(labels) or len(codes) == 0:
            raise DataError(
                f"Each code needs one label, and there are {len(codes):,} {part} codes and "
                f"{len(labels):,} labels"
            )
        if not codes.isfinite().all():
            raise Diverged(
                f"Some {part} codes are not finite numbers",
                "Train the model again, with a smaller lr.",
            )
    return (
        train_codes.flatten(1).cpu().numpy(),
        train_labels.cpu().numpy(),
        test_codes.flatten(1).cpu().numpy(),
        test_labels.cpu().numpy(),
    )


def _drawn(labels: Array) -> tuple[Array, Array]:
    """Positions to fit to, with one of each class at least, and a fifth to choose by."""
    order = np.random.default_rng(0).permutation(len(labels))
    _, needed = np.unique(labels[order], return_index=True)
    order = np.concatenate([order[needed], np.delete(order, needed)])
    cut = max(len(needed), len(order) - len(order) // 5)
    return order[:cut], order[cut:]


def _logistic(codes: Array, labels: Array, penalty: float) -> LogisticRegression:
    # Its C weighs the sum of the cross-entropies, λ their mean.
    model = LogisticRegression(C=1 / (penalty * len(codes)), max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(codes, labels)


def _normals(distribution: Distribution | None) -> Normal | None:
    """The normals of the single dimensions, [*batch, *Z]; None if it is no product of them."""
    if not isinstance(distribution, Independent):
        return None
    return distribution.base_dist if isinstance(distribution.base_dist, Normal) else None

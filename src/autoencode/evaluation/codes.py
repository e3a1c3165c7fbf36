"""What codes hold: nats for each dimension, and which class."""

from __future__ import annotations

from typing import Annotated

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from autoencode.contract import Autoencoder, Within
from autoencode.errors import DataError, Diverged
from autoencode.models.arguments import check_value
from autoencode.models.passes import BATCH_SIZE, in_batches

NEIGHBOURS = 10


def kl_per_dimension(
    model: Autoencoder, x: Tensor, c: Tensor | None = None, batch_size: int = BATCH_SIZE
) -> Tensor | None:
    """KL(q(zᵢ|x) ‖ p(zᵢ)) of each number zᵢ of the code, nats, mean over the examples: [d].

    A dimension at 0 nats says nothing about x. The sum over i is the whole rate.
    None unless posterior and prior are normal with independent dimensions.
    """

    def summed(batch: Tensor, known: Tensor | None) -> Tensor | None:
        q, p = _normals(model.encode(batch, known).q), _normals(model.prior(known))
        return None if q is None or p is None else kl_divergence(q, p).sum(0).flatten().cpu()

    found = in_batches(model, x, summed, "KL", batch_size, c)
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

    Codes [N, *Z] and labels [N]; Euclidean distance, one vote each, of equal counts the lower label
    wins. With fewer than `k` training codes all of them vote.

    Raises:
        DataError: not one label for each code, or no codes at all.
        RecipeError: `k` is no positive whole number.
        Diverged: codes that are not finite.
    """
    check_value(k, Annotated[int, Within(1, 10**9)], "k")
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
    # A tree is quicker for a few dimensions, and far slower for many or for codes that coincide.
    neighbours = KNeighborsClassifier(min(k, len(train_codes)), algorithm="brute")
    neighbours.fit(train_codes.flatten(1).cpu().numpy(), train_labels.cpu().numpy())
    return float(neighbours.score(test_codes.flatten(1).cpu().numpy(), test_labels.cpu().numpy()))


def _normals(distribution: Distribution | None) -> Normal | None:
    """The normals of the single dimensions, [*batch, *Z]; None if it is no product of them."""
    if not isinstance(distribution, Independent):
        return None
    return distribution.base_dist if isinstance(distribution.base_dist, Normal) else None

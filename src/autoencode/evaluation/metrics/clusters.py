"""How well the classes of examples cluster in their codes, and how clusters agree with classes.

Labels are whole numbers from 0 up. Examples of unknown class, with the label −1, are refused: leave
them out together with their codes.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import Array, as_points, stratified_subset

# Codes for a silhouette, which takes all distances between them.
MAX_SILHOUETTE_CODES = 5_000
# Starts of k-means; the best result counts.
STARTS = 10


def silhouette(codes: Tensor, labels: Tensor, seed: int = 0) -> float:
    """How much nearer codes are to codes of their own class than of the next class, in [−1, 1].

    Mean of (b − a) / max(a, b) over codes [N, *Z]: a is the mean distance to the others of the
    class, b the smallest mean distance to another class. 0 where classes overlap; long or curved
    classes score low even if they are well separated. A class with a single code counts 0. Of more
    than 5,000 codes, that many are drawn, each class in proportion.
    Source: [rousseeuw1987].

    Raises:
        DataError: not one label for each code, an unknown label, a single class, or no class with
            two codes.
        Diverged: codes that are not finite.
    """
    points, classes = as_points(codes), _whole_numbers(labels, "labels")
    if len(points) != len(classes):
        raise DataError(
            f"Each code needs one label, and there are {len(points):,} codes and "
            f"{len(classes):,} labels"
        )
    rows = stratified_subset(classes, MAX_SILHOUETTE_CODES, seed)
    points, classes = points[rows], classes[rows]
    count = len(np.unique(classes))
    if not 1 < count < len(points):
        raise DataError(
            "A silhouette needs two classes or more and one with two codes, and these "
            f"{len(points):,} codes have {count:,}"
        )
    return float(silhouette_score(points, classes))


def kmeans_clusters(codes: Tensor, k: int, seed: int = 0) -> Tensor:
    """The cluster of each code [N, *Z], of `k` found by k-means: [N], int64, where `codes` are.

    Euclidean distance in the codes as they are; the best of 10 seeded starts of k-means++.
    Source: [lloyd1982], [arthur2007].

    Raises:
        DataError: fewer than `k` codes.
        RecipeError: `k` is not a positive whole number.
        Diverged: codes that are not finite.
    """
    check_value(k, Count, "k")
    points = as_points(codes, least=k)
    with warnings.catch_warnings():
        # Where fewer than k codes differ, some clusters stay empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(k, n_init=STARTS, random_state=seed % 2**32).fit_predict(points)
    return torch.from_numpy(found).to(codes.device, torch.int64)


def matched_accuracy(clusters: Tensor, labels: Tensor) -> float:
    """The share of examples in the class that their cluster is matched with, in [0, 1].

    Uses the best one-to-one matching of clusters [N] and classes [N]; examples in a cluster without
    a class count as wrong.
    Source: [xie2016], section 4.2.

    Raises:
        DataError: not one label for each cluster, or an unknown one.
    """
    clusters_, classes = _pair(clusters, labels)
    counts = contingency_matrix(clusters_, classes)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(classes))


def adjusted_rand(clusters: Tensor, labels: Tensor) -> float:
    """The share of pairs on which clusters [N] and classes [N] agree, corrected for chance.

    1 for the same partition, 0 on average for random clusters of the same sizes; it may be
    negative.
    Source: [hubert1985].

    Raises:
        DataError: as `matched_accuracy`.
    """
    clusters_, classes = _pair(clusters, labels)
    return float(adjusted_rand_score(classes, clusters_))


def normalised_mutual_information(clusters: Tensor, labels: Tensor) -> float:
    """I(clusters; classes) over the mean of their entropies, in [0, 1]: both are [N].

    1 for the same partition. Not corrected for chance, unlike `adjusted_rand`: random clusters
    score above 0, and more clusters score higher.  Source: [vinh2010].

    Raises:
        DataError: as `matched_accuracy`.
    """
    clusters_, classes = _pair(clusters, labels)
    return float(normalized_mutual_info_score(classes, clusters_))


def _pair(clusters: Tensor, labels: Tensor) -> tuple[Array, Array]:
    clusters_, classes = _whole_numbers(clusters, "clusters"), _whole_numbers(labels, "labels")
    if len(clusters_) != len(classes):
        raise DataError(
            f"Each example needs a cluster and a label, and there are {len(clusters_):,} clusters "
            f"and {len(classes):,} labels"
        )
    return clusters_, classes


def _whole_numbers(given: Tensor, what: str) -> Array:
    """Positions of classes or clusters, [N] from 0 up.

    Raises:
        DataError: none, another shape, numbers with fractions, or negative ones.
    """
    if given.dim() != 1 or len(given) == 0 or given.is_floating_point() or given.is_complex():
        raise DataError(
            f"The {what} must be whole numbers, one for each example, and these are {given.dtype} "
            f"of shape {tuple(given.shape)}"
        )
    found: Array = given.detach().cpu().long().numpy()
    if found.min() < 0:
        raise DataError(
            f"{(found < 0).sum():,} of the {what} are negative, which means not known",
            "Leave those examples out.",
        )
    return found

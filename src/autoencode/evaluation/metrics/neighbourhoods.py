"""Whether encoding preserves neighbourhoods, and the intrinsic dimension of codes."""

from __future__ import annotations

import numpy as np
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import Array, as_points, subset

NEIGHBOURS = 10
# Examples whose neighbourhoods are compared: from each, all others are ranked by distance.
MAX_RANKED = 2_000
# Numbers in those examples together, which bounds the memory: 512 MB.
MAX_NUMBERS = 2**26
# Codes whose two nearest neighbours are found.
MAX_CODES = 10_000
# The share of ratios that the dimension is fitted to: the largest are the least typical.
FITTED = 0.9
DISCRETE = "Discrete codes have no intrinsic dimension: count the entries that they use instead."


def trustworthiness(examples: Tensor, codes: Tensor, k: int = NEIGHBOURS, seed: int = 0) -> float:
    """Whether neighbours among codes are neighbours among examples: in [0, 1], 1 where all are.

    1 − 2 / (N k (2N − 3k − 1)) Σᵢ Σⱼ (r(i, j) − k), over the k nearest codes j of i that are not
    among the k nearest examples, where r is their rank by distance among the examples. About ½
    for random codes. Euclidean distance of the pixels and of the codes.

    Of more pairs [N, *X] and [N, *Z], 2,000 are drawn by the seed, the same for `continuity`, and
    fewer of large examples (67 million numbers in all). Neighbourhoods are among those, so that
    values compare only at equal N and k.
    Source: [venna2001].

    Raises:
        DataError: not one code for each example, or 2 k examples or fewer.
        RecipeError: `k` is no positive whole number.
        Diverged: codes that are not finite.
    """
    x, z = _pairs(examples, codes, k, seed)
    return float(sklearn_trustworthiness(x, z, n_neighbors=k))


def continuity(examples: Tensor, codes: Tensor, k: int = NEIGHBOURS, seed: int = 0) -> float:
    """Whether neighbours among examples are neighbours among codes: in [0, 1], 1 where all are.

    `trustworthiness` with the two spaces exchanged. Continuity falls where encoding separates
    neighbours, trustworthiness where it brings distant examples together.  Source: [venna2001].

    Raises:
        DataError, RecipeError, Diverged: as `trustworthiness`.
    """
    x, z = _pairs(examples, codes, k, seed)
    return float(sklearn_trustworthiness(z, x, n_neighbors=k))


def intrinsic_dimension(codes: Tensor, seed: int = 0) -> float:
    """The dimension of the manifold that codes [N, *Z] lie on, by two nearest neighbours (TwoNN).

    If the density is constant up to the second neighbour, the ratio μ = r₂ / r₁ of the two
    distances has P(μ) = 1 − μ⁻ᵈ: d is the slope of −ln(1 − i/(N + 1)) over the sorted ln μ₍ᵢ₎,
    through the origin, for the 90 % with the smallest μ. The dimension is not a whole number; it
    is too low above about 10, and more codes measure it at a smaller scale. Codes that coincide
    count once; of more than 10,000, that many are drawn by the seed.  Source: [facco2017].

    Raises:
        DataError: fewer than three codes; most coincide, or lie on a grid.
        Diverged: codes that are not finite.
    """
    points = as_points(codes, least=3)
    points = points[subset(len(points), MAX_CODES, seed)]
    # A copy would make the first and second distance of its neighbours equal.
    distinct = np.unique(points, axis=0)
    if len(distinct) < max(3, len(points) / 2):
        raise DataError(f"Most of these codes coincide: {len(distinct):,} are distinct", DISCRETE)
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(distinct)
    near = search.kneighbors(return_distance=False)
    # The search rounds small distances.
    distances = [np.linalg.norm(distinct - distinct[near[:, i]], axis=1) for i in (0, 1)]
    first, second = np.sort(distances, axis=0)
    ratios = np.sort(np.log(second / first))
    fitted = ratios[: int(FITTED * len(ratios))]
    if not fitted.any():
        raise DataError(
            "Most codes are as far from their second neighbour as from the first", DISCRETE
        )
    expected = -np.log1p(-np.arange(1, len(fitted) + 1) / (len(ratios) + 1))
    return float(fitted @ expected / (fitted @ fitted))


def _pairs(examples: Tensor, codes: Tensor, k: int, seed: int) -> tuple[Array, Array]:
    """Examples and their codes as points, [N, F] and [N, d], at most as many as are ranked."""
    check_value(k, Count, "k")
    n = len(examples)
    if n != len(codes):
        raise DataError(
            f"Each example needs one code, and there are {n:,} examples and {len(codes):,} codes"
        )
    most = min(MAX_RANKED, max(MAX_NUMBERS // max(1, examples[:1].numel()), 2 * k + 1))
    rows = subset(n, most, seed)
    if len(rows) <= 2 * k:
        raise DataError(
            f"{k} neighbours are compared among more than {2 * k:,} examples, and there are "
            f"{len(rows):,}",
            "Give more examples, or a smaller k.",
        )
    return as_points(examples[rows]), as_points(codes[rows])

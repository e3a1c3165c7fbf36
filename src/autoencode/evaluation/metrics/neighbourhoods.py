"""Whether neighbours stay neighbours as codes, and how many directions codes fill."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from sklearn.manifold import trustworthiness as kept  # type: ignore[import-untyped]
from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.points import Array, as_points, chosen

NEIGHBOURS = 10
# Examples that neighbourhoods are compared of: all of them are ranked by distance from each.
RANKED = 2_000
# Numbers in those examples, which bounds the memory where they are large: 512 MB.
MOST_NUMBERS = 2**26
# Codes whose two nearest neighbours are found.
MOST_CODES = 10_000
# The share of ratios that a dimension is fitted to: the largest are of the least typical places.
FITTED = 0.9
DISCRETE = "Discrete codes have no intrinsic dimension; see how many entries they use instead."


def trustworthiness(examples: Tensor, codes: Tensor, k: int = NEIGHBOURS, seed: int = 0) -> float:
    """Whether neighbours among codes are neighbours among examples: in [0, 1], 1 where all are.

    1 − 2 / (N k (2N − 3k − 1)) Σᵢ Σⱼ (r(i, j) − k), over the k nearest codes j of i that are not
    among the k nearest examples, where r is their rank by distance among the examples. About ½
    for random codes. Euclidean distance of the pixels and of the codes.

    Of more than 2,000 pairs [N, *X] and [N, *Z] so many are drawn by the seed, the same for
    `continuity`, and fewer where examples are large (67 million numbers in all); neighbourhoods
    are those among them, so that figures compare only at equal N and k.
    Source: [venna2001].

    Raises:
        DataError: not one code for each example, or not more than 2 k of them.
        RecipeError: `k` is no positive whole number.
        Diverged: codes that are not finite.
    """
    x, z = _pairs(examples, codes, k, seed)
    return float(kept(x, z, n_neighbors=k))


def continuity(examples: Tensor, codes: Tensor, k: int = NEIGHBOURS, seed: int = 0) -> float:
    """Whether neighbours among examples are neighbours among codes: in [0, 1], 1 where all are.

    `trustworthiness` with the two spaces exchanged: it falls where the code tears neighbours
    apart, that where it pushes strangers together.  Source: [venna2001].

    Raises:
        DataError, RecipeError, Diverged: as `trustworthiness`.
    """
    x, z = _pairs(examples, codes, k, seed)
    return float(kept(z, x, n_neighbors=k))


def intrinsic_dimension(codes: Tensor, seed: int = 0) -> float:
    """How many directions codes [N, *Z] fill around each of them, by their two nearest neighbours.

    Where density is even that far, μ = r₂ / r₁ of their distances has P(μ) = 1 − μ⁻ᵈ: d is the
    slope of −ln(1 − i/(N + 1)) over the sorted ln μ₍ᵢ₎, through the origin, for the nine tenths
    with the smallest μ. A number of dimensions, no whole one; too low beyond about 10, and it tells
    of smaller scales the more codes there are. Codes that coincide count once; of more than 10,000
    so many are drawn by the seed.  Source: [facco2017].

    Raises:
        DataError: fewer than three codes; most coincide, or lie on a grid.
        Diverged: codes that are not finite.
    """
    points = as_points(codes, least=3)
    points = points[chosen(len(points), MOST_CODES, seed)]
    # A copy would make its neighbours' first and second distance the same.
    distinct = np.unique(points, axis=0)
    if len(distinct) < max(3, len(points) / 2):
        raise DataError(f"Most of these codes coincide: {len(distinct):,} are distinct", DISCRETE)
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(distinct)
    near = search.kneighbors(return_distance=False)
    # The search rounds what is close by.
    apart = [np.linalg.norm(distinct - distinct[near[:, i]], axis=1) for i in (0, 1)]
    first, second = np.sort(apart, axis=0)
    ratios = np.sort(np.log(second / first))
    fitted = ratios[: int(FITTED * len(ratios))]
    if not fitted.any():
        raise DataError(
            "Most codes are as far from their second neighbour as from the first", DISCRETE
        )
    rising = -np.log1p(-np.arange(1, len(fitted) + 1) / (len(ratios) + 1))
    return float(fitted @ rising / (fitted @ fitted))


def _pairs(examples: Tensor, codes: Tensor, k: int, seed: int) -> tuple[Array, Array]:
    """Examples and their codes as points, [N, F] and [N, d], no more than are ranked."""
    check_value(k, Annotated[int, Within(1, 10**6)], "k")
    n = len(examples)
    if n != len(codes):
        raise DataError(
            f"Each example needs one code, and there are {n:,} examples and {len(codes):,} codes"
        )
    most = min(RANKED, max(MOST_NUMBERS // max(1, examples[:1].numel()), 2 * k + 1))
    rows = chosen(n, most, seed)
    if len(rows) <= 2 * k:
        raise DataError(
            f"{k} neighbours are looked at among more than {2 * k:,} examples, and there are "
            f"{len(rows):,}",
            "Give more examples, or a smaller k.",
        )
    return as_points(examples[rows]), as_points(codes[rows])

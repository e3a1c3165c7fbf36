"""How much of what is generated is real, and of what is real is generated: by nearest neighbours.

Each example stands for a ball that reaches to its kth nearest neighbour in its own set; the balls
of a set are an estimate of where its distribution has mass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.evaluation.features import checked

# Distances held at once: 64 MB.
MOST_NUMBERS = 2**23
# More than rounding adds to a squared distance, relative to the squares that it is made of.
ROUNDING = 1e-12


class PrecisionRecall(NamedTuple):
    """precision, recall: shares in [0, 1]."""

    precision: float
    recall: float


class DensityCoverage(NamedTuple):
    """density: from 0 up, 1 expected of real examples.    coverage: a share, in [0, 1]."""

    density: float
    coverage: float


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> PrecisionRecall:
    """The share of generated examples among the real, and of real among the generated.

    Precision: the share of generated features [M, F] that lie in the ball of any real one [N, F],
    whose radius is the distance of its kth nearest neighbour among the real; it falls with images
    that look like no data. Recall: the same with both sets exchanged; it falls with data that
    are never generated. Not 1 for equal distributions, and dependent on N, M and k: always
    compare at equal ones, and with what other real examples reach. One outlier among the real has
    a large ball, which `density_coverage` minds less.  Source: [kynkaanniemi2019].

    Raises:
        DataError: no two matrices of as many features, or not more than k examples in each.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    return PrecisionRecall(_in_some_ball(b, a, k), _in_some_ball(a, b, k))


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> DensityCoverage:
    """In how many balls of real examples the generated lie, and how many of these hold any.

    The ball of a real example reaches to its kth nearest neighbour among the real features [N, F].
    Density: the number of balls that a generated example [M, F] lies in, mean over the M, over k;
    1 expected for equal distributions, more where only the densest parts are generated. Coverage:
    the share of balls with a generated example in them; for equal distributions,
    1 − (N−1)…(N−k) / ((N+M−1)…(N+M−k)) is expected, 0.97 for N = M and k = 5.

    Balls are closed: a set of copies of the real one has density (k + 1) / k, because each lies in
    its own ball as well, and coverage 1.  Source: [naeem2020].

    Raises:
        DataError: no two matrices of as many features, or not more than k examples in each.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    radii = _squared_radii(a, k)
    lying, covered = 0, torch.zeros(len(a), dtype=torch.bool)
    for distances in _squared_distances(b, a):
        within = distances <= radii
        lying += int(within.sum())
        covered |= within.any(0)
    return DensityCoverage(lying / (k * len(b)), int(covered.sum()) / len(a))


def _centred(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sets in float64, moved to where squared distances lose the fewest digits.

    Raises:
        DataError, Diverged, RecipeError: see `precision_recall`.
    """
    check_value(k, Annotated[int, Within(1, 10**6)], "k")
    a, b = checked(real, generated, least=k + 1)
    centre = a.mean(0)
    return a - centre, b - centre


def _in_some_ball(queries: Tensor, centres: Tensor, k: int) -> float:
    """The share of the queries that lie in the ball of a centre."""
    radii = _squared_radii(centres, k)
    inside = sum(int((d <= radii).any(1).sum()) for d in _squared_distances(queries, centres))
    return inside / len(queries)


def _squared_radii(x: Tensor, k: int) -> Tensor:
    """The squared distance of each to its kth nearest neighbour among the others, [N]."""
    # Each is its own nearest; those that equal it count as neighbours.
    nearest = [d.topk(k + 1, largest=False).values for d in _squared_distances(x, x)]
    radii = torch.cat(nearest)[:, -1]
    # What lies on the edge is inside, however either distance was rounded.
    return radii + ROUNDING * (radii + x.square().sum(1))


def _squared_distances(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    """‖aᵢ − bⱼ‖² of points [N, F] and [M, F], for some i after the others: [n, M] each time."""
    squares = b.square().sum(1)
    for rows in a.split(max(1, MOST_NUMBERS // len(b))):  # type: ignore[no-untyped-call]
        products = torch.addmm(squares, rows, b.T, alpha=-2)
        yield products.add_(rows.square().sum(1, keepdim=True)).clamp_(min=0)

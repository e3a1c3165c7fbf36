"""Precision, recall, density and coverage of generated images, by nearest neighbours.

Each example has a ball that reaches to its kth nearest neighbour in its own set; the balls of a set
estimate where its distribution has mass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.arguments import Count, check_value
from autoencode.evaluation.metrics.arrays import as_features

# Distances in memory at once: 64 MB.
MAX_DISTANCES = 2**23
# More than rounding adds to a squared distance, relative to the squares that it is made of.
ROUNDING = 1e-12


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """The share of generated examples among the real, and of real among the generated: in [0, 1].

    Precision: the share of generated features [M, F] that lie in the ball of any real one [N, F],
    whose radius is the distance of its kth nearest neighbour among the real; implausible images
    lower it. Recall: the same with both sets exchanged; data that are never generated lower it.
    Both depend on N, M and k and are not 1 for equal distributions: always compare at equal N, M
    and k, and with the values of other real examples. An outlier among the real has a large ball,
    which affects `density_coverage` less.  Source: [kynkaanniemi2019].

    Raises:
        DataError: not two matrices of equally many features, or k examples or fewer in one.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    precision, recall = _inside(b, a, k).any(1), _inside(a, b, k).any(1)
    return precision.double().mean().item(), recall.double().mean().item()


def density_coverage(real: Tensor, generated: Tensor, k: int = 5) -> tuple[float, float]:
    """How many balls of real examples each generated one lies in, and the share of balls in use.

    The ball of a real example reaches to its kth nearest neighbour among the real features [N, F].
    Density: the number of balls that a generated example [M, F] lies in, mean over the M, over k;
    1 expected for equal distributions, more where only the densest parts are generated. Coverage:
    the share of balls with a generated example in them; for equal distributions,
    1 − (N−1)…(N−k) / ((N+M−1)…(N+M−k)) is expected, 0.97 for N = M and k = 5.

    Balls are closed: a set of copies of the real one has density (k + 1) / k, because each lies in
    its own ball as well, and coverage 1.  Source: [naeem2020].

    Raises:
        DataError: not two matrices of equally many features, or k examples or fewer in one.
        Diverged: features that are not finite.
        RecipeError: `k` is no positive whole number.
    """
    a, b = _centred(real, generated, k)
    inside = _inside(b, a, k)
    density = int(inside.sum()) / (k * len(inside))
    return density, inside.any(0).double().mean().item()


def _centred(real: Tensor, generated: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sets in float64, centred so that squared distances lose the fewest digits.

    Raises:
        DataError, Diverged, RecipeError: see `precision_recall`.
    """
    check_value(k, Count, "k")
    a, b = as_features(real, generated, least=k + 1)
    centre = a.mean(0)
    return a - centre, b - centre


def _inside(queries: Tensor, centres: Tensor, k: int) -> Tensor:
    """Whether each query [M, F] lies in the ball of each centre [N, F]: [M, N], bool."""
    rows = max(1, MAX_DISTANCES // len(centres))
    # The nearest of each centre is itself; copies of it count as neighbours.
    nearest = [
        torch.cdist(some, centres).topk(k + 1, largest=False).values[:, -1]
        for some in torch.split(centres, rows)
    ]
    squares = torch.cat(nearest).square()
    # An example on the edge is inside, however both distances were rounded.
    radii = (squares + ROUNDING * (squares + centres.square().sum(1))).sqrt()
    return torch.cat([torch.cdist(some, centres) <= radii for some in torch.split(queries, rows)])

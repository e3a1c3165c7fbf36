"""The codes of all examples compared with the prior: active units and maximum mean discrepancy."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from autoencode.arguments import check_value
from autoencode.contract import Within
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import as_points
from autoencode.evaluation.thresholds import MIN_ACTIVE_VARIANCE
from autoencode.maths.discrepancies import mean_discrepancy

# Codes in one block, which is compared with as many draws, each with each.
BLOCK = 1_000
# Widths of the kernels, in multiples of the median squared distance of draws from the prior.
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def active_units(means: Tensor, threshold: float = MIN_ACTIVE_VARIANCE) -> int:
    """The number of latent dimensions whose mean code E[zᵢ|x], [N, *Z], varies over the examples.

    Counts variances above `threshold`, in squared units of the code, which suits codes on the
    scale of a standard normal.  Source: [burda2016], section 4.2.

    Raises:
        DataError: fewer than two codes.
        RecipeError: `threshold` is not a positive number.
        Diverged: codes that are not finite.
    """
    check_value(threshold, Annotated[float, Within(1e-12, 1e12)], "threshold")
    return int((as_points(means, least=2).var(0, ddof=1) > threshold).sum())


def maximum_mean_discrepancy(codes: Tensor, prior_draws: Tensor, seed: int = 0) -> float:
    """MMD² of codes [N, *Z] and draws from the prior [M, *Z]: 0 on average if they are alike.

    Draw the codes of a random model from q(z|x): their means are not meant to follow p(z).
    An unbiased estimate, at most 2 and without a unit; a little below 0 as often as above if the
    codes follow the prior. The kernel is the mean over r of rC / (rC + ‖z − z′‖²), for r from
    0.1 to 10, where C is the median of ‖z − z′‖² among draws from the prior. It does not depend on
    the codes, so that models with the same prior and size of code compare. Mean over disjoint
    blocks of at most 1,000 codes and as many draws, shuffled by the seed; min(N, M) are used.
    Source: [gretton2012]; the kernel, [tolstikhin2018].

    Raises:
        DataError: fewer than two of either, two sizes of code, or draws that all coincide.
        Diverged: codes that are not finite.
    """
    if codes.shape[1:] != prior_draws.shape[1:]:
        raise DataError(
            f"Codes of shape {tuple(codes.shape[1:])} and draws of shape "
            f"{tuple(prior_draws.shape[1:])} do not lie in one space"
        )
    points = [torch.from_numpy(as_points(each, least=2)) for each in (codes, prior_draws)]
    n, rng = min(map(len, points)), np.random.default_rng(seed)
    a, b = (each[torch.from_numpy(rng.permutation(len(each))[:n])] for each in points)
    width = torch.pdist(b[:BLOCK]).median().square()
    if width == 0:
        raise DataError("Most draws from the prior coincide, so there is no scale to compare on")

    def kernel(squares: Tensor) -> Tensor:
        total = torch.zeros_like(squares)
        for r in SCALES:
            total += (squares + r * width).reciprocal_().mul_(r * width)
        return total / len(SCALES)

    blocks = math.ceil(n / BLOCK)
    parts = zip(a.tensor_split(blocks), b.tensor_split(blocks), strict=True)
    return float(np.mean([mean_discrepancy(*part, kernel).item() for part in parts]))

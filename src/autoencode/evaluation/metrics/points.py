"""Codes as points of a vector space, in double precision, and seeded choices among them."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from autoencode.errors import DataError, Diverged

Array = np.ndarray[Any, Any]


def as_points(codes: Tensor, least: int = 1) -> Array:
    """Codes [N, *Z] as float64, [N, d].

    Raises:
        DataError: fewer than `least` of them.
        Diverged: codes that are not finite.
    """
    if codes.dim() == 0 or len(codes) < least:
        raise DataError(
            f"This is measured of {least:,} codes or more, and these have the shape "
            f"{tuple(codes.shape)}"
        )
    points: Array = codes.detach().reshape(len(codes), -1).cpu().double().numpy()
    if not np.isfinite(points).all():
        raise Diverged(
            "Some codes are not finite numbers", "Train the model again, with a smaller lr."
        )
    return points


def chosen(n: int, most: int, seed: int) -> Array:
    """Positions of `most` examples of n, in order, drawn by the seed; of fewer, all."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def in_proportion(classes: Array, most: int, seed: int) -> Array:
    """As `chosen`, with each of the classes [N] at its share."""
    if len(classes) <= most:
        return np.arange(len(classes))
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    return np.sort(order[np.arange(most) * len(classes) // most])

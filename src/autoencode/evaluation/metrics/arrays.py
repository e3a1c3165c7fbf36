"""Checks of the arrays that metrics are computed from, and seeded subsets of examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from autoencode.data import scaled
from autoencode.errors import DataError, Diverged
from autoencode.maths import widen

Array = np.ndarray[Any, Any]


def as_points(codes: Tensor, least: int = 1) -> Array:
    """Codes [N, *Z] as float64, [N, d].

    Raises:
        DataError: fewer than `least` codes.
        Diverged: codes that are not finite.
    """
    if codes.dim() == 0 or len(codes) < least:
        raise DataError(
            f"This metric needs {least:,} codes or more, and these have the shape "
            f"{tuple(codes.shape)}"
        )
    check_finite(codes, "codes")
    points: Array = codes.detach().reshape(len(codes), -1).cpu().double().numpy()
    return points


def as_features(*sets: Tensor, least: int = 1) -> list[Tensor]:
    """Sets of features [N, F] on the CPU, in float64, if they can be compared.

    least: the smallest number of examples in each set.

    Raises:
        DataError: the sets are not matrices with equally many features, or have too few examples.
        Diverged: features that are not finite.
    """
    if any(s.dim() != 2 or s.shape[1] != sets[0].shape[-1] or len(s) < least for s in sets):
        examples = "an example" if least == 1 else f"{least:,} examples"
        raise DataError(
            f"Sets of features are compared, each (N, F) with {examples} or more, and these are "
            + " and ".join(str(tuple(s.shape)) for s in sets)
        )
    for each in sets:
        check_finite(each, "features")
    return [s.detach().cpu().double() for s in sets]


def as_images(images: Tensor) -> Tensor:
    """Images (uint8, or float in [0, 1]) as floats, at least float32.

    Raises:
        DataError: integers other than uint8.
    """
    images = widen(scaled(images))
    if not images.is_floating_point():
        raise DataError(
            f"Images must be uint8 (0 to 255) or floats in [0, 1], and these are {images.dtype}"
        )
    return images


def check_finite(values: Tensor, what: str) -> None:
    """Refuses numbers of a model whose training has diverged.

    Raises:
        Diverged: some of the values are not finite.
    """
    if not values.isfinite().all():
        raise Diverged(
            f"Some {what} are not finite numbers", "Train the model again, with a smaller lr."
        )


def check_distances(*lists: Tensor) -> None:
    """Refuses tensors that are not lists of distances, [N] each.

    Raises:
        DataError: another shape, or an empty list.
    """
    if any(each.dim() != 1 or len(each) == 0 for each in lists):
        raise DataError(
            "Distances are compared, one for each image, and these have the shapes "
            + " and ".join(str(tuple(each.shape)) for each in lists)
        )


def subset(n: int, most: int, seed: int) -> Array:
    """Sorted positions of at most `most` of n examples, drawn by the seed."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def stratified_subset(classes: Array, most: int, seed: int) -> Array:
    """As `subset`, with each of the classes [N] at its share."""
    if len(classes) <= most:
        return np.arange(len(classes))
    order = np.random.default_rng(seed).permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    return np.sort(order[np.arange(most) * len(classes) // most])

"""Random examples of a data set, as a course uses them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from autoencode.data.load import load_data
from autoencode.data.named.catalogue import SOURCES
from autoencode.data.records import Data, Split, scaled
from autoencode.errors import DataError


@lru_cache(maxsize=1)
def _cached(name: str) -> Data:
    return load_data(name)


def sample_train(
    N: int,
    return_labels: bool = False,
    source: Any = "mnist",
    seed: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """N random training images, float32 in [0, 1], [N, *X]; with `return_labels` (x, y).

    N: drawn without replacement, new ones in every call; with a `seed` the same in every call.
    source: as of `load_data`. A named data set stays in memory between calls.

    >>> x, y = sample_train(5, return_labels=True, source="digits")
    >>> x.shape, y.shape
    (torch.Size([5, 8, 8]), torch.Size([5]))

    Raises:
        DataError: N is not between 1 and the number of training images, or there are no labels.
    """
    return _samples("train", N, return_labels, source, seed)


def sample_test(
    N: int,
    return_labels: bool = False,
    source: Any = "mnist",
    seed: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """N random test images, which no training has seen; otherwise as `sample_train`.

    N, return_labels, source, seed: as of `sample_train`.

    >>> sample_test(3, source="digits").shape
    torch.Size([3, 8, 8])

    Raises:
        DataError: N is not between 1 and the number of test images, or there are no labels.
    """
    return _samples("test", N, return_labels, source, seed)


def _samples(
    name: Literal["train", "test"], n: int, return_labels: bool, source: Any, seed: int | None
) -> Tensor | tuple[Tensor, Tensor]:
    is_named = isinstance(source, str) and source in SOURCES
    part: Split = getattr(_cached(source) if is_named else load_data(source), name)
    what = {"train": "training", "test": "test"}[name]
    if not 1 <= n <= len(part):
        raise DataError(
            f"N is {n}, but there are {len(part):,} {what} images", "Give N in this range."
        )
    if return_labels and part.y is None:
        raise DataError("return_labels is set, but the data have none", "Leave it out.")
    chosen = torch.from_numpy(np.random.default_rng(seed).permutation(len(part))[:n])
    x = scaled(part.x[chosen])
    return (x, part.y[chosen]) if return_labels and part.y is not None else x

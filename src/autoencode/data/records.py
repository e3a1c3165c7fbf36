"""Records: the loaded data in three parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data.preprocessing import Preprocessing

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """One part of a data set: examples and, if there are any, their labels.

    x: [N, *X], preprocessed examples: uint8 (0..255) if the source has uint8, else float32, of
       images in [0, 1]; a missing value of a table is NaN. X is (H, W) for grey images, (C, H, W)
       for colour, (D,) for vectors and rows of tables.
    y: [N], int64, the class of each example, −1 if it is unknown; None without labels.
    context: [N, C], float32, a vector for each example, on which a model can be conditioned.
    random: x are probabilities, from which every batch draws new bits.
    mapped: x is memory-mapped from a file.
    factors: [N, F], int64, the generating factors of each example; None if they are unknown. Only
       for evaluation: no model receives them.
    names: the file or row identifier of each example, N names; None if they have none.
    """

    x: Tensor
    y: Tensor | None
    context: Tensor | None = None
    random: bool = False
    mapped: bool = False
    factors: Tensor | None = None
    names: Sequence[str] | None = None

    def name(self, i: int) -> str:
        """The name of example i: its file or row identifier, else its position, "example 12"."""
        return f"example {i}" if self.names is None else self.names[i]

    def __len__(self) -> int:
        return self.x.shape[0]


@dataclass(frozen=True)
class Data:
    """A data set, checked and divided; the test part is only for evaluation.

    name: "mnist", or the stem of the path.
    source: the argument of `load_data`, with paths made absolute; "" for arrays in memory.
    options: the options with which `load_data` loads the same data again, for JSON.
    classes: names of the classes, () without labels.
    fingerprint: SHA-256 over the bytes, shapes and labels of the three parts.
    notices: sentences for the user about conversions, skipped files and repeated examples.
    factors: names of the columns of `Split.factors`, () without factors.
    unordered: the categorical ones of `factors`, such as a shape.
    preprocessing: how the raw data became the tensors of the parts; None if that is not known.
    """

    name: str
    source: str
    options: Mapping[str, Any]
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    fingerprint: str
    notices: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    @property
    def is_table(self) -> bool:
        """Whether an example is a row of a table."""
        return self.preprocessing is not None and self.preprocessing.is_table

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (28, 28), (3, 32, 32), (30,)."""
        return tuple(self.train.x.shape[1:])


def scaled(x: Tensor) -> Tensor:
    """Images as float32 in [0, 1]: uint8 is divided by 255, float32 is returned unchanged.

    >>> scaled(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])
    """
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x


def digests(x: np.ndarray) -> np.ndarray:
    """A hash of each example, [N], uint64, to find equal examples.

    Among ten million different examples, two share a hash with a probability of 3 in a million.
    """
    content = np.ascontiguousarray(x).reshape(-1).view(np.uint8).data
    size = len(content) // len(x)
    rows = (content[start : start + size] for start in range(0, len(content), size))
    hashes = (
        int.from_bytes(hashlib.blake2b(row, digest_size=8).digest(), "little") for row in rows
    )
    return np.fromiter(hashes, np.uint64, len(x))


def fingerprint(parts: Mapping[str, Split]) -> str:
    """SHA-256, as 64 hex digits, over names, shapes, types, bytes, labels, vectors and factors."""
    sha = hashlib.sha256()
    for name, part in parts.items():
        for tensor in (part.x, part.y):
            if tensor is None:
                sha.update(f"{name} without labels;".encode())
                continue
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
            sha.update(tensor.contiguous().numpy().data)
        for what, tensor in (("vectors", part.context), ("factors", part.factors)):
            if tensor is not None:
                sha.update(f"{name} {what} {tuple(tensor.shape)};".encode())
                sha.update(tensor.contiguous().numpy().data)
    return sha.hexdigest()

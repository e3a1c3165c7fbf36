"""What loading gives: three parts of one data set, and what a source held before any check."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Examples and, where there are any, their labels.

    x: [N, *X], uint8 (0..255) where the values came so, else float32 in [0, 1]. X is the shape as
       it came: (H, W) for grey images, (C, H, W) for colour, (D,) for vectors. Arrays with the
       channel last, [N, H, W, 3], [N, H, W, 4] and [N, H, W, 1], are turned to channel first.
    y: [N], int64, the position of each label among the classes, −1 where it is not known; None
       without labels.
    c: [N, C], float32, a vector beside each example, for models that are conditioned on one.
    random: are the numbers of x probabilities, of which each look draws bits anew?
    mapped: does x lie in a file, of which a system reads what is looked at?
    factors: [N, F], int64, from which value of each factor an example was made; None where that is
       not known. For measuring only: no model sees them.
    """

    x: Tensor
    y: Tensor | None
    context: Tensor | None = None
    random: bool = False
    mapped: bool = False
    factors: Tensor | None = None

    def __len__(self) -> int:
        return self.x.shape[0]


@dataclass(frozen=True)
class Data:
    """A data set, checked and split; the test part is for measuring only.

    name: "mnist", or the stem of the path.
    source: what `load_data` was given, a path made absolute; "" for arrays in memory.
    options: the options, fit for JSON, with which `load_data` loads the same again.
    classes: names of the classes, () without labels.
    fingerprint: SHA-256 over the bytes, shapes and labels of the three parts.
    notices: sentences for the user about what was converted, skipped or met twice.
    factors: names of the columns of `Split.factors`, () without.
    unordered: those of `factors` whose numbers are mere names, as a shape's.
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

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example: (28, 28), (3, 32, 32), (30,)."""
        return tuple(self.train.x.shape[1:])


@dataclass(frozen=True)
class BadFile:
    """A file of a folder that cannot be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Raw:
    """What a source holds, before anything is checked, converted or split.

    parts: the source's own parts, x [N, ...] and labels [N] or None, under "train", "validation"
           and "test"; or all of it under "all".
    vectors: what stands beside each example of "all", [N, C], or None.
    factors: name -> values [N], whole numbers, of what each example of "all" was made from.
    unordered: those of `factors` whose numbers are mere names.
    classes: the names of labels 0..K-1 where the source names them.
    value_range: lowest and highest value, where the format says it.
    names: the file behind each example of "all", where there is one.
    looked: examples or files that were looked at, the bad ones included.
    borrowed: the arrays are the caller's own, who may change them later.
    trusted: the bytes are known by their hash, so looking for examples met twice is idle.
    """

    parts: Mapping[str, tuple[np.ndarray, Any]]
    classes: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    notices: tuple[str, ...] = ()
    names: Sequence[str] = field(default=())
    bad: tuple[BadFile, ...] = ()
    looked: int = 0
    trusted: bool = False
    borrowed: bool = False
    vectors: Any = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    unordered: tuple[str, ...] = ()


def scaled(x: Tensor) -> Tensor:
    """Images as float32 in [0, 1]: uint8 is divided by 255, float32 passes through.

    >>> scaled(torch.tensor([0, 51, 255], dtype=torch.uint8))
    tensor([0.0000, 0.2000, 1.0000])
    """
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x


def digests(x: np.ndarray) -> np.ndarray:
    """A hash of each example, [N], uint64, to find those that are there twice.

    Among ten million different examples, any two share one with a chance of 3 in a million.
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

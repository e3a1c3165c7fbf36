"""What a reader finds in a source, before it is checked, converted and divided; without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from autoencode.data.preprocessing import Column


@dataclass(frozen=True)
class BadFile:
    """A file of a folder that cannot be used, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class RawData:
    """The content of a source before it is checked, converted and divided.

    parts: the source's own parts, x [N, ...] and labels [N] or None, under "train", "validation"
           and "test"; an undivided source has one part "all".
    vectors: a vector for each example of "all", [N, C], or None.
    factors: name -> integers [N], the generating factors of each example of "all".
    unordered: the categorical ones of `factors`.
    classes: the names of labels 0..K-1, if the source names them.
    value_range: lowest and highest value, if the format states them.
    names: part -> the file or row identifier of each of its examples.
    groups: part -> the group of each of its examples [N], which must stay in one part.
    columns: the columns of a table; x holds a number for each, for categories their position.
    image_files: x are images as a file format has them, channels first.
    bad: the files that cannot be used.
    examined: number of files, including the bad ones.
    caller_owned: the arrays belong to the caller, who may change them later.
    verified: the content has a known hash, so it is not searched for repeated examples.
    """

    parts: Mapping[str, tuple[np.ndarray, Any]]
    classes: tuple[str, ...] = ()
    value_range: tuple[float, float] | None = None
    notices: tuple[str, ...] = ()
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    image_files: bool = False
    bad: tuple[BadFile, ...] = ()
    examined: int = 0
    verified: bool = False
    caller_owned: bool = False
    vectors: Any = None
    factors: Mapping[str, np.ndarray] = field(default_factory=dict)
    unordered: tuple[str, ...] = ()

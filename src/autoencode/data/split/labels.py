"""Labels of any type to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autoencode.data.arrays import as_array
from autoencode.errors import DataError


def encode(
    labels: Mapping[str, Any], lengths: Mapping[str, int], classes: tuple[str, ...] = ()
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The labels of all parts as class indices, int64 [N], and the class names.

    labels: integers or strings for each part, [N] or [N, 1].
    classes: the class names if the labels are indices; otherwise the sorted distinct labels.

    Raises:
        DataError: their number is not the number of examples, or they are not classes.
    """
    if not labels:
        return {}, ()
    flat = {part: _flat(y, lengths[part], part) for part, y in labels.items()}
    if classes:
        return {part: y.astype(np.int64) for part, y in flat.items()}, classes
    if len({y.dtype.kind == "U" for y in flat.values()}) > 1:
        raise DataError("Labels are strings in one part and numbers in another", "Use one type.")
    values, joined = np.unique(np.concatenate(list(flat.values())), return_inverse=True)
    ends = np.cumsum([len(y) for y in flat.values()])[:-1]
    encoded = np.split(joined.astype(np.int64), ends)
    return dict(zip(flat, encoded, strict=True)), tuple(str(v) for v in values)


def _flat(y: Any, length: int, part: str) -> np.ndarray:
    """Labels [N] of integers or strings."""
    whose = "" if part == "all" else f" of the {part} part"
    array = as_array(y, f"The labels{whose}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise DataError(
            f"The labels{whose} have shape {array.shape}",
            "Give one label for each example; for one-hot labels give labels.argmax(1).",
        )
    if len(array) != length:
        raise DataError(
            f"There are {length:,} examples and {len(array):,} labels{whose}",
            "Give one label for each example, in the same order.",
        )
    if array.dtype.kind == "f":
        # NaN equals no integer, so it is refused here too.
        invalid = np.flatnonzero(array != np.rint(array))
        if len(invalid) or np.isinf(array).any():
            raise DataError(
                f"The labels{whose} are not classes: label {invalid[0] if len(invalid) else 0} "
                f"is {array[invalid[0]] if len(invalid) else array.max()}",
                "Give integers or strings.",
            )
        return array.astype(np.int64)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "backslashreplace")
    if array.dtype.kind == "O" and all(isinstance(v, str) for v in array):
        return array.astype(str)
    if array.dtype.kind not in "buiU":
        raise DataError(f"The labels{whose} have type {array.dtype}", "Give integers or strings.")
    return array


def match_classes(
    labels: Mapping[str, np.ndarray], classes: tuple[str, ...], known: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """The labels of new data as indices of the classes that a model knows, matched by name.

    Raises:
        DataError: a class that the model does not know.
    """
    unknown = [name for name in classes if name not in known]
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise DataError(
            f"The model knows the classes {', '.join(known[:20])}, and the labels of these data "
            f"include {', '.join(unknown[:5])}{more}",
            "Give the classes the names of the model's, or ignore the labels: "
            "--no-labels (no_labels=True).",
        )
    table = np.array([known.index(name) for name in classes], np.int64)
    return {part: np.where(y < 0, -1, table[y]) for part, y in labels.items()}

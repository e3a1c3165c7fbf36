"""Labels of any type to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autoencode.data.arrays import as_array
from autoencode.errors import DataError


def is_unknown(label: Any) -> bool:
    """Whether a label says that the class is not known: −1, NaN, None or an empty text.

    >>> [is_unknown(label) for label in (-1, float("nan"), "", "-1", 0, "cat")]
    [True, True, True, True, False, False]
    """
    if isinstance(label, str):
        return label.strip().lower() in ("", "-1", "nan")
    return label is None or bool(label != label or label == -1)


def encode(
    labels: Mapping[str, Any], lengths: Mapping[str, int], classes: tuple[str, ...] = ()
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The labels of all parts as class indices, int64 [N], −1 if unknown, and the class names.

    labels: integers or strings for each part, [N] or [N, 1]; see `is_unknown`.
    classes: the class names if the labels are indices; otherwise the sorted distinct labels.

    Raises:
        DataError: their number is not the number of examples, or they are not classes.
    """
    if not labels:
        return {}, ()
    flat = {part: _flat(y, lengths[part], part) for part, y in labels.items()}
    if classes:
        return {part: y.astype(np.int64) for part, (y, _) in flat.items()}, classes
    known = {part: y[~unknown] for part, (y, unknown) in flat.items()}
    given = [y for y in known.values() if len(y)]
    if not given:
        raise DataError(
            "No label is known; all are −1, NaN or empty",
            "Leave out --labels, or those of the source: --no-labels (no_labels=True).",
        )
    if len({y.dtype.kind == "U" for y in given}) > 1:
        raise DataError("Labels are strings in one part and numbers in another", "Use one type.")
    values = np.unique(np.concatenate(given))
    encoded = {}
    for part, (_, unknown) in flat.items():
        encoded[part] = np.full(len(unknown), -1, np.int64)
        if len(known[part]):
            encoded[part][~unknown] = np.searchsorted(values, known[part])
    return encoded, tuple(str(v) for v in values)


def label_notices(labels: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> list[str]:
    """Notices about unknown labels, and about classes that only the training part lacks or has."""
    notices = []
    unknown = {part: int((y < 0).sum()) for part, y in labels.items()}
    if any(unknown.values()):
        listed = ", ".join(
            f"{count:,} of {len(labels[part]):,}{'' if part == 'all' else f' ({part})'}"
            for part, count in unknown.items()
            if count
        )
        notices.append(f"The labels of {listed} examples are unknown (−1, NaN or empty).")
        if classes == ("1",):
            notices.append("If −1 is a class like 1, give other numbers, such as labels + 1.")
    found = {part: {*np.unique(y[y >= 0]).tolist()} for part, y in labels.items()}
    for part in found.keys() - {"all", "train"} if "train" in found else ():
        for more, less, which in (
            (part, "train", f"the {part} part and not in the training part"),
            ("train", part, f"the training part and not in the {part} part"),
        ):
            only = sorted(found[more] - found[less])
            if only and found[less]:
                names = ", ".join(classes[i] for i in only[:5]) + (" …" if len(only) > 5 else "")
                plural = "class is" if len(only) == 1 else "classes are"
                notices.append(f"{len(only)} {plural} in {which}: {names}.")
    return notices


def _flat(y: Any, length: int, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels [N] of integers or strings, and which of them are unknown."""
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
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    unknown = np.zeros(length, bool)
    if array.dtype.kind in "fOUi":
        unknown = np.array([is_unknown(value) for value in array.tolist()], bool)
    if array.dtype.kind == "O":
        known = [value for value in array.tolist() if not is_unknown(value)]
        if known and not all(isinstance(v, str) for v in known):
            if not all(isinstance(v, int | float) for v in known):
                kinds = ", ".join(sorted({type(v).__name__ for v in known}))
                raise DataError(
                    f"The labels{whose} have type {array.dtype} ({kinds})",
                    "Give integers or strings.",
                )
            array = np.where(unknown, -1, array).astype(float)
        else:
            array = np.where(unknown, "", array).astype(str)
    if array.dtype.kind == "f":
        array = np.where(unknown, -1, array)
        invalid = np.flatnonzero(~np.isfinite(array) | (array != np.rint(array)))
        if len(invalid):
            raise DataError(
                f"The labels{whose} are not classes: label {invalid[0]} is {array[invalid[0]]}",
                "Give integers or strings.",
            )
        array = array.astype(np.int64)
    if array.dtype.kind not in "buiU":
        raise DataError(f"The labels{whose} have type {array.dtype}", "Give integers or strings.")
    return array, unknown


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

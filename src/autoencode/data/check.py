"""What is in a data set and what is wrong with it, as data; nothing here refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autoencode.data.arrays import as_array, blocks, not_finite
from autoencode.data.gather import Memory
from autoencode.data.large.mapped import Files
from autoencode.data.large.stored import alone, passing, root
from autoencode.data.load import origin, read
from autoencode.data.options import Options
from autoencode.data.prepare import prepare
from autoencode.data.records import PARTS, BadFile, Data, Raw, digests
from autoencode.data.split.labels import encode
from autoencode.errors import DataError
from autoencode.io.memory import TooLarge


@dataclass(frozen=True)
class PartCheck:
    """One part of a data set.

    part: "train", "validation" or "test"; "all" when the data could not be divided.
    per_class: examples of each class, {} without labels.
    repeated: examples that are equal to an earlier one of the same part.
    in_train: examples that the training part holds as well.
    """

    part: str
    examples: int
    per_class: Mapping[str, int]
    repeated: int
    in_train: int


@dataclass(frozen=True)
class Check:
    """What `check_source` found.

    shape: of one example.           dtype: the type in which the values came.
    low, high: the smallest and the largest finite value, as they came; None without any.
    constant: examples in which all values are equal.
    not_finite: examples that hold NaN or infinity.
    first_*: the position of the first such example, over all parts in order; None without any.
    bad_files: files of a folder that cannot be used.
    problems: the sentences with which `load_data` refuses these data; () when it does not.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    dtype: str
    low: float | None
    high: float | None
    classes: tuple[str, ...]
    parts: tuple[PartCheck, ...]
    constant: int
    first_constant: int | None
    not_finite: int
    first_not_finite: int | None
    bad_files: tuple[BadFile, ...]
    notices: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def usable(self) -> bool:
        """Whether `load_data` takes the data as they are."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The same, fit for JSON."""
        return {**asdict(self), "usable": self.usable}


def check_source(source: Any, **options: Any) -> Check:
    """Look through data with the options that `load_data` takes, and count what is odd.

    Bad files, NaN and wrong ranges are counted and not refused.

    Raises:
        DataError: there is nothing to look at: no such source, no images, images of several sizes.
    """
    asked = Options(**options)
    # All files are looked at; what the options say about bad ones comes afterwards.
    loose = Options(**{**options, "on_bad": "skip", "max_bad": 1})
    try:
        return _looked_through(source, asked, loose, None)
    except TooLarge:
        # As for training: what memory does not hold lies in files, here for as long as it takes.
        with alone(root()), passing(root(), "check") as files:
            return _looked_through(source, asked, loose, files)


def _looked_through(source: Any, asked: Options, loose: Options, files: Files | None) -> Check:
    """What there is; files: where it is kept, None is in memory."""
    raw, (name, where) = read(source, loose, files or Memory(owned=True)), origin(source, loose)
    problems, values = _bad_files(raw, asked), _values(raw)
    data: Data | None = None
    try:
        data = prepare(raw, loose, name, where, files or Memory(owned=not raw.borrowed))
    except DataError as error:
        problems.append(str(error))
    parts, classes = (_divided(data), data.classes) if data else _undivided(raw)
    return Check(
        name=name,
        source=where,
        **values,
        classes=classes,
        parts=_counted(parts, classes),
        bad_files=raw.bad,
        notices=data.notices if data else raw.notices,
        problems=tuple(problems),
    )


def _bad_files(raw: Raw, options: Options) -> list[str]:
    count = len(raw.bad)
    if not count or (options.on_bad == "skip" and count <= options.max_bad * raw.looked):
        return []
    return [f"{count:,} of {raw.looked:,} files cannot be used."]


def _values(raw: Raw) -> dict[str, Any]:
    """Shape, type, range, and the examples that are constant or not finite."""
    low, high, constant, broken, start = np.inf, -np.inf, [], [], 0
    arrays = [as_array(x, part) for part, (x, _) in raw.parts.items()]
    for x in arrays:
        if x.dtype.kind in "buif" and x.ndim > 1 and x.size:
            for first, block in blocks(x):
                rows = block.reshape(len(block), -1)
                values = rows[np.isfinite(rows)] if x.dtype.kind == "f" else rows
                low = min(low, values.min()) if values.size else low
                high = max(high, values.max()) if values.size else high
                same = np.flatnonzero((rows == rows[:, :1]).all(1))
                constant += (start + first + same).tolist()
            broken += (start + not_finite(x)).tolist()
        start += len(x) if x.ndim else 0
    return {
        "shape": arrays[0].shape[1:],
        "dtype": str(arrays[0].dtype),
        "low": float(low) if low <= high else None,
        "high": float(high) if low <= high else None,
        "constant": len(constant),
        "first_constant": constant[0] if constant else None,
        "not_finite": len(broken),
        "first_not_finite": broken[0] if broken else None,
    }


def _divided(data: Data) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    parts = {name: getattr(data, name) for name in PARTS}
    return {
        name: (part.x.numpy(), None if part.y is None else part.y.numpy())
        for name, part in parts.items()
    }


def _undivided(raw: Raw) -> tuple[dict[str, tuple[np.ndarray, Any]], tuple[str, ...]]:
    """The parts as they came, for data that cannot be prepared; labels where they make sense."""
    arrays = {part: as_array(x, part) for part, (x, _) in raw.parts.items()}
    found = {part: y for part, (_, y) in raw.parts.items() if y is not None}
    lengths = {part: len(x) if x.ndim else 0 for part, x in arrays.items()}
    try:
        numbers, classes = encode(found, lengths, raw.classes)
    except DataError:
        numbers, classes = {}, ()
    return {part: (x, numbers.get(part)) for part, x in arrays.items()}, classes


def _counted(
    parts: Mapping[str, tuple[np.ndarray, np.ndarray | None]], classes: tuple[str, ...]
) -> tuple[PartCheck, ...]:
    """Sizes, classes, and what is there twice."""
    seen = {
        name: digests(x) if x.ndim and x.size and x.dtype != object else np.zeros(0, np.uint64)
        for name, (x, _) in parts.items()
    }
    train = seen.get("train", np.zeros(0, np.uint64))
    checked = []
    for name, (x, y) in parts.items():
        checked.append(
            PartCheck(
                part=name,
                examples=len(x) if x.ndim else 0,
                per_class={} if y is None else _per_class(y, classes),
                repeated=len(seen[name]) - len(np.unique(seen[name])),
                in_train=0 if name == "train" else int(np.isin(seen[name], train).sum()),
            )
        )
    return tuple(checked)


def _per_class(y: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(y, minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))

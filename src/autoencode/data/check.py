"""`check_source`: counts what is in a data set and what is wrong with it, without refusing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from autoencode.data.arrays import as_array, blocks, not_finite
from autoencode.data.large import temporary_storage
from autoencode.data.load import origin, read
from autoencode.data.options import Options
from autoencode.data.prepare import prepare
from autoencode.data.preprocessing import ColumnKind
from autoencode.data.raw import BadFile, RawData
from autoencode.data.records import PARTS, Data, digests
from autoencode.data.split.labels import encode
from autoencode.data.storage import MemoryStorage, Storage
from autoencode.errors import DataError
from autoencode.io.memory import TooLarge


@dataclass(frozen=True)
class PartCheck:
    """One part of a data set.

    part: "train", "validation" or "test"; "all" when the data could not be divided.
    per_class: number of examples of each class, {} without labels; unknown labels are not counted.
    repeated: examples that equal an earlier example of the same part.
    in_train: examples that are in the training part too.
    """

    part: str
    examples: int
    per_class: Mapping[str, int]
    repeated: int
    in_train: int


@dataclass(frozen=True)
class ColumnCheck:
    """One column of a table that the model learns.

    missing: number of rows without a value.
    low, high, mean: of a numeric column; None of a categorical one.
    categories: number of rows of each category, {} for a numeric column.
    """

    name: str
    kind: ColumnKind
    missing: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    categories: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """The result of `check_source`.

    shape: of one example.           dtype: the type of the values in the source.
    low, high: the smallest and the largest finite value in the source; None without any.
    constant: examples in which all values are equal.
    not_finite: examples that contain NaN or infinity.
    first_*: the position of the first such example, over all parts in order; None without any.
    bad_files: files of a folder that cannot be used.
    columns: the columns of a table, () for other data. Then `low`, `high` and the examples that are
        constant or not finite are not counted.
    problems: the messages with which `load_data` refuses these data; () if it accepts them.
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
    columns: tuple[ColumnCheck, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether `load_data` accepts the data as they are."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """The fields as a dictionary that can be written as JSON."""
        return {**asdict(self), "usable": self.usable}


def check_source(source: Any, **options: Any) -> Check:
    """Read data with the options of `load_data`, and count what is unusual or wrong.

    Bad files, NaN and wrong ranges are counted and not refused.

    Raises:
        DataError: there is nothing to check: no such source, no images, images of several sizes.
    """
    strict = Options(**options)
    # All files are read; `on_bad` and `max_bad` are applied afterwards.
    lenient = Options(**{**options, "on_bad": "skip", "max_bad": 1})
    try:
        return _checked(source, strict, lenient, None)
    except TooLarge:
        with temporary_storage() as storage:
            return _checked(source, strict, lenient, storage)


def _checked(source: Any, strict: Options, lenient: Options, storage: Storage | None) -> Check:
    """The check with the data in a storage, or in memory without one."""
    raw = read(source, lenient, storage or MemoryStorage(reuse=True))
    problems, columns, values = _bad_files(raw, strict), _columns(raw), _values(raw)
    name, path = origin(source, lenient)
    data: Data | None = None
    try:
        storage = storage or MemoryStorage(reuse=not raw.caller_owned)
        data = prepare(raw, lenient, name, path, storage)
    except DataError as error:
        problems.append(str(error))
    parts, classes = (_divided(data), data.classes) if data else _undivided(raw)
    return Check(
        name=name,
        source=path,
        **values,
        classes=classes,
        parts=_counted(parts, classes),
        bad_files=raw.bad,
        notices=data.notices if data else raw.notices,
        problems=tuple(problems),
        columns=columns,
    )


def _bad_files(raw: RawData, options: Options) -> list[str]:
    count = len(raw.bad)
    if not count or (options.on_bad == "skip" and count <= options.max_bad * raw.examined):
        return []
    return [f"{count:,} of {raw.examined:,} files cannot be used."]


def _columns(raw: RawData) -> tuple[ColumnCheck, ...]:
    """What is in each column of a table, over all parts."""
    found = []
    for i, column in enumerate(raw.columns):
        cells = np.concatenate([x[:, i] for x, _ in raw.parts.values()])
        present = cells[~np.isnan(cells)]
        missing = len(cells) - len(present)
        if column.kind == "categorical":
            counts = np.bincount(present.astype(np.int64), minlength=column.width).tolist()
            categories = dict(zip(column.categories, counts, strict=True))
            found.append(ColumnCheck(column.name, "categorical", missing, categories=categories))
        else:
            values = (float(present.min()), float(present.max()), float(present.mean()))
            found.append(ColumnCheck(column.name, "numeric", missing, *values))
    return tuple(found)


def _values(raw: RawData) -> dict[str, Any]:
    """Shape, type and range, and the examples that are constant or not finite."""
    low, high, constant, infinite, start = np.inf, -np.inf, [], [], 0
    arrays = [as_array(x, part) for part, (x, _) in raw.parts.items()]
    for x in () if raw.columns else arrays:
        if x.dtype.kind in "buif" and x.ndim > 1 and x.size:
            for first, block in blocks(x):
                rows = block.reshape(len(block), -1)
                values = rows[np.isfinite(rows)] if x.dtype.kind == "f" else rows
                low = min(low, values.min()) if values.size else low
                high = max(high, values.max()) if values.size else high
                same = np.flatnonzero((rows == rows[:, :1]).all(1))
                constant += (start + first + same).tolist()
            infinite += (start + not_finite(x)).tolist()
        start += len(x) if x.ndim else 0
    return {
        "shape": arrays[0].shape[1:],
        "dtype": str(arrays[0].dtype),
        "low": float(low) if low <= high else None,
        "high": float(high) if low <= high else None,
        "constant": len(constant),
        "first_constant": constant[0] if constant else None,
        "not_finite": len(infinite),
        "first_not_finite": infinite[0] if infinite else None,
    }


def _divided(data: Data) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    parts = {name: getattr(data, name) for name in PARTS}
    return {
        name: (part.x.numpy(), None if part.y is None else part.y.numpy())
        for name, part in parts.items()
    }


def _undivided(raw: RawData) -> tuple[dict[str, tuple[np.ndarray, Any]], tuple[str, ...]]:
    """The source's own parts of data that cannot be prepared, with labels if they are usable."""
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
    """Sizes, classes and repeated examples of each part."""
    hashes = {
        name: digests(x) if x.ndim and x.size and x.dtype != object else np.zeros(0, np.uint64)
        for name, (x, _) in parts.items()
    }
    train = hashes.get("train", np.zeros(0, np.uint64))
    return tuple(
        PartCheck(
            part=name,
            examples=len(x) if x.ndim else 0,
            per_class={} if y is None else _per_class(y, classes),
            repeated=len(hashes[name]) - len(np.unique(hashes[name])),
            in_train=0 if name == "train" else int(np.isin(hashes[name], train).sum()),
        )
        for name, (x, y) in parts.items()
    )


def _per_class(y: np.ndarray, classes: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(y[y >= 0], minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))

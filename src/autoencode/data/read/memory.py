"""Data in memory: arrays, tensors, pairs, mappings and torch data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from autoencode.data.arrays import as_array
from autoencode.data.options import Options
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.read.frame import as_frame, is_columns, is_frame
from autoencode.data.read.keys import PARTS, item_keys, raw_parts
from autoencode.data.read.table import read_table
from autoencode.errors import DataError
from autoencode.io.files import Unusable
from autoencode.io.memory import check_memory
from autoencode.io.progress import Bar


def read_memory(source: Any, options: Options, given: Preprocessing | None = None) -> RawData:
    """The data in a Python object.

    An array or tensor; a list of arrays or of Pillow's images; a DataFrame, a pyarrow table or a
    structured array; a pair (x, y); two pairs (x_train, y_train), (x_test, y_test); a mapping with
    the keys that an .npz file may have, of parts to tables, or of names to columns; a torch
    `Dataset` that yields x, (x, y) or mappings.

    given: the preprocessing of a trained model, whose columns are read from a table.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(source, Dataset):
        return _dataset(source)
    if (tables := _tables(source)) is not None:
        labels = {part: y for part, (_, y) in tables.items() if y is not None}
        frames = {part: as_frame(x) for part, (x, _) in tables.items()}
        return read_table(frames, options, given, labels or None)
    notices: tuple[str, ...] = ()
    if isinstance(source, Mapping):
        parts, notices = raw_parts(source, "The mapping")
    elif isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"A tuple of length {len(source)} is not (x, y)", "Give x or (x, y).")
        if all(isinstance(pair, tuple) and len(pair) == 2 for pair in source):
            parts = {"train": source[0], "test": source[1]}
        else:
            parts = {"all": source}
    elif isinstance(source, list) or _is_array(source):
        parts = {"all": (source, None)}
    else:
        fix = "Give a name, a path, an array, a tensor, a DataFrame, (x, y) or a torch Dataset."
        if _is_picture(source):
            fix = "Give a list of images: [image]."
        raise DataError(f"Data cannot be read from {type(source).__name__}", fix)
    pictures = _Pictures()
    for part, (x, y) in parts.items():
        what = "The data" if part == "all" else f"The {part} part"
        if isinstance(x, list) and x and all(map(_is_picture, x)):
            x = [pictures.read(image, f"{what}, image {i}") for i, image in enumerate(x)]
        parts[part] = as_array(x, what), y
    return RawData(
        parts,
        notices=(*notices, *pictures.notices()),
        image_files=pictures.count > 0,
        value_range=pictures.value_range,
        caller_owned=True,
    )


def _is_array(x: Any) -> bool:
    names = ("__array__", "__dlpack__", "toarray")  # the last one is of sparse matrices
    return any(hasattr(x, name) for name in names)


def _is_picture(x: Any) -> bool:
    return type(x).__module__.startswith("PIL.")


class _Pictures:
    """Reads Pillow's images and notes what was changed in them."""

    def __init__(self) -> None:
        self.count, self._heads = 0, Counter[str]()
        self._types: set[np.dtype] = set()

    def read(self, image: Any, what: str) -> np.ndarray:
        """The pixels of an image, [H, W] grey or [3, H, W] colour."""
        from autoencode.data.read.image import read_image

        try:
            pixels, head = read_image(image)
        except Unusable as error:
            raise DataError(f"{what} cannot be used: {error}", "Repair or remove it.") from error
        self.count += 1
        self._heads["have transparent parts, which became white"] += head.alpha
        self._heads["have several frames; only the first is used"] += head.several
        if head.note:
            self._heads[f"were changed: {head.note}"] += 1
        self._types.add(pixels.dtype)
        return pixels

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The range of 16-bit images."""
        return (0, 65535) if self._types == {np.dtype(np.uint16)} else None

    def notices(self) -> list[str]:
        """What was changed, and in how many images."""
        return [f"{count:,} images {what}." for what, count in self._heads.items() if count]


def _tables(source: Any) -> dict[str, tuple[Any, Any]] | None:
    """The table of each part, with its labels or None; None if the source has no tables."""
    if is_frame(source):
        return {"all": (source, None)}
    if isinstance(source, Mapping):
        values = list(source.values())
        named = values and all(str(name).lower() in PARTS for name in source)
        if named and all(map(is_frame, values)):
            return {PARTS[name.lower()]: (x, None) for name, x in source.items()}
        if is_columns(source):
            return {"all": (dict(source), None)}
        parts = raw_parts(source, "The mapping")[0] if any(map(is_frame, values)) else {}
        return parts if parts and all(is_frame(x) for x, _ in parts.values()) else None
    if isinstance(source, tuple) and len(source) == 2:
        if is_frame(source[0]):
            return {"all": source}
        pairs = all(isinstance(pair, tuple) and len(pair) == 2 for pair in source)
        if pairs and all(is_frame(pair[0]) for pair in source):
            return {"train": source[0], "test": source[1]}
    return None


def _dataset(dataset: Dataset[Any]) -> RawData:
    """All items of a torch data set, stacked."""
    try:
        total = 0 if isinstance(dataset, IterableDataset) else len(dataset)  # type: ignore[arg-type]
    except (TypeError, NotImplementedError) as error:
        raise DataError(
            f"The data set {type(dataset).__name__} has no length: {error}",
            "Give it the method __len__, or give a part of it: "
            "torch.utils.data.Subset(dataset, range(1000)).",
        ) from error
    xs: np.ndarray | list[np.ndarray] = []
    ys: list[Any] = []
    pictures = _Pictures()
    with Bar("reading the data set", total) as bar:
        for i, item in enumerate(_items(dataset, total)):
            x, y = _pair(item, i, pictures)
            if i and (x.shape != xs[0].shape or x.dtype != xs[0].dtype):
                raise DataError(
                    f"Item {i} of the data set is {x.dtype} of shape {x.shape}, but item 0 is "
                    f"{xs[0].dtype} of shape {xs[0].shape}",
                    "Convert all to one shape and type.",
                )
            if i and (y is None) == bool(ys):
                raise DataError(
                    f"Item {i} of the data set lacks a label, or item 0 does",
                    "Give all items a label, or none.",
                )
            if i == 0 and total:
                check_memory(x.nbytes * total, "The data set", "Give fewer or smaller items.")
                xs = np.empty((total, *x.shape), x.dtype)
            if isinstance(xs, list):
                if i & (i - 1) == 0:  # the number of items is not known, and may have no end
                    what = f"The data set, after {i + 1:,} items,"
                    fix = "Give a finite part: list(itertools.islice(dataset, 1000))."
                    check_memory(2 * x.nbytes * i, what, fix)
                xs.append(x)
            else:
                xs[i] = x
            if y is not None:
                ys.append(y)
            bar.update(1)
    if not len(xs):
        raise DataError("The data set is empty", "Give some examples.")
    whole = np.stack(xs) if isinstance(xs, list) else xs
    return RawData(
        {"all": (whole, np.array(ys) if ys else None)},
        notices=tuple(pictures.notices()),
        image_files=pictures.count > 0,
        value_range=pictures.value_range,
    )


def _items(dataset: Dataset[Any], total: int) -> Iterator[Any]:
    """The items in order; an error in the data set is reported with the number of the item."""
    i = 0
    try:
        by_number = map(dataset.__getitem__, range(total))
        for item in dataset if isinstance(dataset, IterableDataset) else by_number:
            yield item
            i += 1
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"Item {i} of the data set cannot be read: {type(error).__name__}: {error}",
            "Correct the data set.",
        ) from error


def _pair(item: Any, i: int, pictures: _Pictures) -> tuple[np.ndarray, Any]:
    """Image and label, or None, of one item."""
    what = f"Item {i} of the data set"
    x, y = item, None
    if isinstance(item, Mapping):
        image, label = item_keys(item, what)
        x, y = item[image], None if label is None else item[label]
    elif isinstance(item, tuple | list) and len(item) in (1, 2):
        x, y = item[0], item[1] if len(item) == 2 else None
    if _is_picture(x):
        return pictures.read(x, what), _label(y, what)
    return as_array(x, what), _label(y, what)


def _label(y: Any, what: str) -> Any:
    if y is None or isinstance(y, str):
        return y
    value = as_array(y, f"The label of {what[0].lower()}{what[1:]}")
    if value.size != 1:
        raise DataError(
            f"The label of {what[0].lower()}{what[1:]} has shape {value.shape}",
            "Give one number or text.",
        )
    return value.item()

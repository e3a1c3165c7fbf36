"""Data in memory: arrays, tensors, pairs, mappings and torch data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch.utils.data import Dataset, IterableDataset

from autoencode.data.arrays import as_array
from autoencode.data.read.keys import item_keys, raw_parts
from autoencode.data.records import RawData
from autoencode.errors import DataError
from autoencode.io.memory import check_memory
from autoencode.io.progress import Bar


def read_memory(source: Any) -> RawData:
    """The data in a Python object.

    An array or tensor; a pair (x, y); two pairs (x_train, y_train), (x_test, y_test); a mapping
    with the keys that an .npz file may have; a torch `Dataset` that yields x, (x, y) or mappings.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(source, Dataset):
        return _dataset(source)
    if isinstance(source, Mapping):
        parts, notices = raw_parts(source, "The mapping")
        return RawData(parts, notices=notices, caller_owned=True)
    if isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"A tuple of length {len(source)} is not (x, y)", "Give x or (x, y).")
        if all(isinstance(pair, tuple) and len(pair) == 2 for pair in source):
            return RawData({"train": source[0], "test": source[1]}, caller_owned=True)
        return RawData({"all": source}, caller_owned=True)
    if isinstance(source, list) or hasattr(source, "__array__") or hasattr(source, "__dlpack__"):
        return RawData({"all": (as_array(source, "The data"), None)}, caller_owned=True)
    raise DataError(
        f"Data cannot be read from {type(source).__name__}",
        "Give a name, a path, an array, a tensor, (x, y) or a torch Dataset.",
    )


def _dataset(dataset: Dataset[Any]) -> RawData:
    """All items of a torch data set, stacked."""
    total = 0 if isinstance(dataset, IterableDataset) else len(dataset)  # type: ignore[arg-type]
    xs: np.ndarray | list[np.ndarray] = []
    ys: list[Any] = []
    with Bar("reading the data set", total) as bar:
        for i, item in enumerate(_items(dataset, total)):
            x, y = _pair(item, i)
            if i and (x.shape != xs[0].shape or x.dtype != xs[0].dtype):
                raise DataError(
                    f"Item {i} of the data set is {x.dtype} of shape {x.shape}, but item 0 is "
                    f"{xs[0].dtype} of shape {xs[0].shape}",
                    "Convert all to one shape and type.",
                )
            if i and (y is None) == bool(ys):
                raise DataError(f"Item {i} of the data set lacks a label, or item 0 does", "")
            if i == 0 and total:
                check_memory(x.nbytes * total, "The data set", "Give fewer or smaller items.")
                xs = np.empty((total, *x.shape), x.dtype)
            if isinstance(xs, list):
                xs.append(x)  # the number of items is not known
            else:
                xs[i] = x
            if y is not None:
                ys.append(y)
            bar.update(1)
    if not len(xs):
        raise DataError("The data set is empty", "Give some examples.")
    whole = np.stack(xs) if isinstance(xs, list) else xs
    return RawData({"all": (whole, np.array(ys) if ys else None)})


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


def _pair(item: Any, i: int) -> tuple[np.ndarray, Any]:
    """Image and label, or None, of one item."""
    what = f"Item {i} of the data set"
    x, y = item, None
    if isinstance(item, Mapping):
        image, label = item_keys(item, what)
        x, y = item[image], None if label is None else item[label]
    elif isinstance(item, tuple | list) and len(item) in (1, 2):
        x, y = item[0], item[1] if len(item) == 2 else None
    if type(x).__module__.startswith("PIL."):
        from autoencode.data.read.image import pixels

        return pixels(x), _label(y, what)
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

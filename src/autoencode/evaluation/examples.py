"""What an example is: a table row or not, the columns of a row, and the names of examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autoencode.data import Data


@dataclass(frozen=True)
class RowLayout:
    """Where the columns of a table are in a preprocessed row [D].

    numeric: name and position of each numeric column.
    categorical: name and one-hot block of each categorical column.
    """

    numeric: tuple[tuple[str, int], ...]
    categorical: tuple[tuple[str, slice], ...]


def is_table(data: Data) -> bool:
    """Whether the examples are rows of a table."""
    return bool(_columns(data))


def row_layout(data: Data) -> RowLayout:
    """The columns of a table; of other vectors [D], each value as a numeric column."""
    if not is_table(data):
        return RowLayout(tuple((f"value {i}", i) for i in range(data.shape[0])), ())
    numeric, categorical, start = [], [], 0
    for column in _columns(data):
        if column.kind == "numeric":
            numeric.append((str(column.name), start))
            start += 1
        else:
            end = start + len(column.categories)
            categorical.append((str(column.name), slice(start, end)))
            start = end
    return RowLayout(tuple(numeric), tuple(categorical))


def example_names(data: Data, positions: Iterable[int]) -> list[str]:
    """Names of test examples: their files or row ids, else "row 12" or "example 12".

    positions: in the test part, counted from 0.
    """
    names = getattr(data.test, "names", None)
    if names is not None and len(names):
        return [str(names[i]) for i in positions]
    return [f"{'row' if is_table(data) else 'example'} {i}" for i in positions]


def in_own_units(data: Data, x: Tensor) -> list[list[Any]]:
    """Preprocessed rows [n, D] as rows of numbers and categories, in the units of the table.

    None for a missing value. Without an inverse of the preprocessing, numbers stay as they are.
    """
    inverse = getattr(getattr(data, "preprocessing", None), "inverse", None)
    if inverse is not None:
        return [[_or_none(value) for value in row] for row in inverse(x).tolist()]
    rows: list[list[Any]] = [[] for _ in x]
    start = 0
    for column in _columns(data):
        width = 1 if column.kind == "numeric" else len(column.categories)
        block = x[:, start : start + width]
        start += width
        for row, values, missing in zip(rows, block, block.isnan().all(1).tolist(), strict=True):
            numeric = column.kind == "numeric"
            value = values[0].item() if numeric else column.categories[int(values.argmax())]
            row.append(None if missing else value)
    return rows


def column_names(data: Data) -> list[str]:
    """The names of the columns of a table, in its order."""
    return [str(column.name) for column in _columns(data)]


def _columns(data: Data) -> tuple[Any, ...]:
    return tuple(getattr(getattr(data, "preprocessing", None), "columns", ()))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value

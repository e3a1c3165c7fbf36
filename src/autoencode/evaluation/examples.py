"""What an example is: a table row or not, the columns of a row, and the names of examples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autoencode.data import Data


@dataclass(frozen=True)
class RowColumn:
    """One column in a preprocessed row [D].

    block: the positions of its values: one for a number, else one for each category.
    """

    name: str
    block: slice
    categories: tuple[str, ...] | None = None


def is_table(data: Data) -> bool:
    """Whether the examples are rows of a table."""
    return bool(_columns(data))


def row_columns(data: Data) -> list[RowColumn]:
    """The columns of a table, in its order; of other vectors [D], each value as a column."""
    if not is_table(data):
        return [RowColumn(f"value {i}", slice(i, i + 1)) for i in range(data.shape[0])]
    columns, start = [], 0
    for column in _columns(data):
        categories = None if column.kind == "numeric" else tuple(column.categories)
        end = start + (1 if categories is None else len(categories))
        columns.append(RowColumn(str(column.name), slice(start, end), categories))
        start = end
    return columns


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
    columns = []
    for column in row_columns(data):
        block = x[:, column.block]
        if column.categories is None:
            columns.append([_or_none(value) for value in block[:, 0].tolist()])
            continue
        best, missing = block.nan_to_num(0.0).argmax(1).tolist(), block.isnan().any(1).tolist()
        known = zip(best, missing, strict=True)
        columns.append([None if gap else column.categories[i] for i, gap in known])
    return [list(row) for row in zip(*columns, strict=True)]


def _columns(data: Data) -> tuple[Any, ...]:
    return tuple(getattr(getattr(data, "preprocessing", None), "columns", ()))


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value

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


def row_columns(data: Data) -> list[RowColumn]:
    """The columns of a table, in its order; of other vectors [D], each value as a column."""
    if data.preprocessing is None or not data.is_table:
        return [RowColumn(f"value {i}", slice(i, i + 1)) for i in range(data.shape[0])]
    columns, start = [], 0
    for column in data.preprocessing.columns:
        categories = None if column.kind == "numeric" else column.categories
        columns.append(RowColumn(column.name, slice(start, start + column.width), categories))
        start += column.width
    return columns


def example_names(data: Data, positions: Iterable[int]) -> list[str]:
    """Names of test examples: their files or row ids, else "row 12" or "example 12".

    positions: in the test part, counted from 0.
    """
    names = data.test.names
    if names is not None and len(names):
        return [str(names[i]) for i in positions]
    return [f"{'row' if data.is_table else 'example'} {i}" for i in positions]


def in_own_units(data: Data, x: Tensor) -> list[list[Any]]:
    """Preprocessed rows [n, D] as rows of numbers and categories, in the units of the table.

    data: a table. None for a missing value.
    """
    assert data.preprocessing is not None
    rows = data.preprocessing.inverse(x).tolist()
    return [[_or_none(value) for value in row] for row in rows]


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value

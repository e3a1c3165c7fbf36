"""Tables in Python objects as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencode.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_LIBRARIES = ("pandas", "pyarrow", "polars")


@dataclass(frozen=True)
class Frame:
    """A table whose columns are not yet converted.

    table: the cells, with unique names of columns.
    name: of the table, for messages.
    text: the cells are text of a file, in which numbers must be recognised.
    names: of the rows, where the table itself names them.
    """

    table: pd.DataFrame
    name: str = "The table"
    text: bool = False
    names: Sequence[str] | None = None
    notices: tuple[str, ...] = ()


def is_frame(x: Any) -> bool:
    """Whether an object is a table: of pandas, pyarrow or polars, or a structured array."""
    if isinstance(x, np.ndarray):
        return x.dtype.names is not None and x.ndim == 1
    return type(x).__module__.split(".")[0] in _LIBRARIES


def is_columns(x: Mapping[str, Any]) -> bool:
    """Whether a mapping holds columns of one length: lists, arrays or series of one axis."""
    lengths = set()
    for values in x.values():
        if getattr(values, "ndim", 1 if isinstance(values, list) else 0) != 1 or not len(values):
            return False
        if isinstance(values, list) and isinstance(values[0], list | tuple | np.ndarray):
            return False
        lengths.add(len(values))
    return len(x) > 1 and len(lengths) == 1


def as_frame(x: Any) -> Frame:
    """The table in a Python object, with names for its rows if its index has them.

    Raises:
        DataError: it is no table, or pandas is not installed.
    """
    pandas = pandas_module()
    if not isinstance(x, pandas.DataFrame):
        if type(x).__module__.split(".")[0] in _LIBRARIES and not hasattr(x, "columns"):
            raise DataError(
                f"A {type(x).__name__} of {type(x).__module__.split('.')[0]} is one column and no "
                "table",
                "Give a table: data.to_frame().",
            )
        if hasattr(x, "__arrow_c_stream__"):
            import pyarrow

            x = pyarrow.table(x).to_pandas()
        else:
            x = pandas.DataFrame(x)
    index, names = x.index, None
    if not isinstance(index, pandas.RangeIndex) and index.is_unique:
        numbers = pandas.api.types.is_integer_dtype(index)
        names = [f"row {each}" if numbers else str(each) for each in index]
    table = x.reset_index(drop=True)
    header, notices = unique_names([_joined(name) for name in table.columns], table)
    table.columns = pandas.Index(header)
    return Frame(table, names=names, notices=tuple(notices))


def pandas_module() -> Any:
    """The module pandas.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise not_installed("pandas") from error
    return pandas


def not_installed(package: str) -> DataError:
    """The error that a package that reads tables is missing."""
    return DataError(
        f"Tables need {package}, which is not installed",
        'Install it: pip install "autoencode[tables]"',
    )


def _joined(name: Any) -> str:
    """The name of a column as text; names of several levels are joined."""
    return "_".join(map(str, name)) if isinstance(name, tuple) else str(name).strip()


def unique_names(names: Sequence[str], table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Names of columns of which each occurs once, and a notice of each that was changed."""
    found, known, notices = list[str](), set[str](), list[str]()
    for i, name in enumerate(names):
        new, number = name or f"Unnamed: {i}", 1
        while new in known:
            number += 1
            new = f"{name}_{number}"
        if new != name and name:
            notices.append(f"Column {i + 1} has the name {name}, as an earlier one, and is {new}.")
        found.append(new)
        known.add(new)
    return found, notices

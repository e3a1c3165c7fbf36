"""Missing values of tables and arrays, filled in by a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from autoencode.data import Data, Split
from autoencode.data.read.frame import as_frame, is_frame
from autoencode.data.read.table_file import folder_tables, is_table_file, read_table_file
from autoencode.errors import AutoencodeError, DataError
from autoencode.models.conditions import conditioning
from autoencode.models.imputation import SAMPLES
from autoencode.models.imputation import impute as fill
from autoencode.models.new_data import new_data
from autoencode.use.files import TABLES, array_to, refuse_existing, rows_to

if TYPE_CHECKING:
    import pandas as pd


class Imputed(NamedTuple):
    """A table or an array without gaps.

    values: a DataFrame with all columns of the given table, or an array [N, D].
    cells: number of cells that were filled.   rows: number of rows.
    notices: what was converted, by sentences.
    """

    values: Any
    cells: int
    rows: int
    notices: tuple[str, ...]


def impute(
    model: Any, data: Any, samples: int = SAMPLES, seed: int = 0, **options: Any
) -> pd.DataFrame | np.ndarray:
    """Fill in the missing values of a table, in its own units.

    Observed values stay exactly as they are. A missing value becomes its mean under the model given
    the observed values of its row (of a category, the most probable one), see
    `autoencode.models.imputation.impute`.

    model: trained on data with missing values, such as by the recipe missing-iwae.
    data, options: a table, a path to one, or an array [N, D], as `load_data` takes them; or loaded
        data, of which the test part is used.
    samples: codes drawn for each row.   seed: of these codes.

    Returns a DataFrame with all columns of a given table, or an array [N, D].

    Raises:
        DataError: the data are no table, or do not fit the model.
        RecipeError: `samples` is not a positive whole number.

    >>> import autoencode as ae
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> rows[::5, 0] = np.nan
    >>> data = ae.load_data(rows, scale="standard")
    >>> model = ae.fit("missing-iwae", data, steps=10).model
    >>> filled = ae.impute(model, rows, samples=10)
    >>> filled.shape, bool(np.isnan(filled).any())
    ((200, 3), False)
    """
    found: pd.DataFrame | np.ndarray = imputed(model, data, samples, seed, **options).values
    return found


def imputed(
    model: Any, data: Any, samples: int = SAMPLES, seed: int = 0, **options: Any
) -> Imputed:
    """As `impute`, with the number of filled cells."""
    part, notices = _part(model, data, options)
    if part.x.dim() != 2:
        raise DataError(
            "Missing values are filled in for tables and vectors, and these data are images",
            "Give a table or an array [N, D].",
        )
    x = part.x.float()
    filled = fill(model, x, conditioning(model.recipe, part), samples, seed=seed)
    preprocessing = model.preprocessing
    if preprocessing is None:
        raise DataError(
            "This model does not know how its data were preprocessed",
            "Set it: model.preprocessing = load_data(source).preprocessing.",
        )
    gaps = torch.isnan(x).numpy()
    values = preprocessing.inverse(filled)
    table = _table(data)
    if not preprocessing.is_table:
        raw = np.where(gaps, values, preprocessing.inverse(x))
        return Imputed(raw, int(gaps.sum()), len(x), notices)
    columns, start, cells = {}, 0, 0
    for i, column in enumerate(preprocessing.columns):
        missing = gaps[:, start]
        start += column.width
        cells += int(missing.sum())
        columns[column.name] = (missing, values[:, i])
    if table is None:
        own = preprocessing.inverse(x)
        raw = np.stack([np.where(m, v, own[:, i]) for i, (m, v) in enumerate(columns.values())], 1)
        if all(column.kind == "numeric" for column in preprocessing.columns):
            raw = raw.astype(np.float64)
        if not isinstance(data, np.ndarray):
            raw = _frame_of(raw, [*columns], part)
        return Imputed(raw, cells, len(x), notices)
    for name, (missing, found) in columns.items():
        if missing.any():
            _fill(table, name, missing, found)
    return Imputed(table, cells, len(x), notices)


def write_imputed(
    model: Any,
    data: Any,
    out: str | Path,
    samples: int = SAMPLES,
    seed: int = 0,
    overwrite: bool = False,
    **options: Any,
) -> Imputed:
    """Fill in missing values as `impute`, and write all columns to a .csv, .parquet or .npy file.

    Raises:
        AutoencodeError: `out` exists, or has an unknown ending.
        DataError: as `impute`.
    """
    path = Path(out)
    refuse_existing(path, overwrite)
    ending = path.suffix.lower()
    if ending not in (*TABLES, ".npy"):
        raise AutoencodeError(f"{path} has an unknown ending", "Choose .csv, .parquet or .npy.")
    done = imputed(model, data, samples, seed, **options)
    if ending == ".npy":
        values = done.values if isinstance(done.values, np.ndarray) else done.values.to_numpy()
        if values.dtype == object:
            raise AutoencodeError(
                "The table has columns of text, which an .npy file does not hold",
                f"Write a table: --out {path.with_suffix('.csv')}",
            )
        with array_to(path, overwrite) as array:
            array.add(values)
        return done
    with rows_to(path, overwrite) as rows:
        if isinstance(done.values, np.ndarray):
            names = [column.name for column in model.preprocessing.columns]
            names = names or [f"x{i + 1}" for i in range(done.values.shape[1])]
            rows.add(dict(zip(names, done.values.T, strict=True)))
        else:
            rows.add({name: _cells(done.values[name]) for name in done.values.columns})
    return done


def _part(model: Any, data: Any, options: dict[str, Any]) -> tuple[Split, tuple[str, ...]]:
    if isinstance(data, Split):
        return data, ()
    if isinstance(data, Data):
        return data.test, ()
    loaded = new_data(model, data, **options)
    return loaded.test, loaded.notices


def _table(data: Any) -> pd.DataFrame | None:
    """The given table with all its columns and cells as they are; None for other data."""
    if isinstance(data, str | Path):
        path = Path(data).expanduser()
        if path.is_dir():
            import pandas

            frames = [read_table_file(each).table for each in folder_tables(path).values()]
            return pandas.concat(frames, ignore_index=True) if frames else None
        return read_table_file(path).table if is_table_file(path) else None
    return as_frame(data).table.copy() if is_frame(data) else None


def _fill(table: pd.DataFrame, name: str, missing: np.ndarray, found: np.ndarray) -> None:
    column = table[name]
    texts = column.dtype == object or str(column.dtype) in ("string", "str", "category")
    values = [str(value) if texts else value for value in found[missing]]
    if not texts and column.dtype.kind != "f":
        column = column.astype("float64")
    elif str(column.dtype) == "category":  # whose categories may be fewer than the model's
        column = column.astype(object)
    column = column.copy()
    column[np.flatnonzero(missing)] = values
    table[name] = column


def _frame_of(raw: np.ndarray, names: list[str], part: Split) -> pd.DataFrame:
    import pandas

    frame = pandas.DataFrame(dict(zip(names, raw.T, strict=True)))
    if part.names is not None:
        frame.insert(0, "name", list(part.names))
    return frame


def _cells(column: pd.Series) -> Any:
    """The cells of a column for writing: numbers as an array, others as texts."""
    if column.dtype.kind in "iufb":
        return column.to_numpy()
    return [None if value is None or value != value else value for value in column]

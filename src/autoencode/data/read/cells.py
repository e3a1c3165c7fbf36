"""The cells of one column of a table: numbers, or categories with their names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencode.data.preprocessing import Column
from autoencode.data.read.table_file import NUMBER
from autoencode.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Text that stands for a missing value; "?" is that of the UCI repository.
MISSING = ("", "NaN", "nan", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "None", "?")
MAX_CATEGORIES = 50
# Squares of larger numbers, summed over many rows, may be infinite.
MAX_NUMBER = 1e100
_INFINITY = r"[+-]?(?i:inf|infinity)"
_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*"
# A number with a unit or with separators: "12 kg", "1,234.5", "$ 3", "10%".
_UNIT = rf"[+-]?[$€£¥]?\s*\d[\d,.' ]*\s*[^\d\s]{{0,8}}|{NUMBER}"


class Cells:
    """The cells of a column, cleaned: numbers, texts or truth values, and missing ones.

    series: float64 with NaN, or text with missing values.
    is_number: whether they are numbers.
    categorical: whether they are categories by their type.
    notices: what was converted.          tokens: how often each text for a missing value occurs.

    Raises:
        DataError: the type of the cells cannot be used.
    """

    def __init__(self, name: str, cells: pd.Series[Any], text: bool) -> None:
        self.name, self.notices, self.tokens = name, list[str](), Counter[str]()
        self.is_number, self.categorical = False, False
        self.series = self._cleaned(cells, text)

    def _cleaned(self, cells: pd.Series[Any], text: bool) -> pd.Series[Any]:
        import pandas as pd

        types = pd.api.types
        if isinstance(cells.dtype, pd.CategoricalDtype):
            self.categorical = True
            cells = pd.Series(np.asarray(cells.astype(object)), dtype=object)
        kind = types.infer_dtype(cells, skipna=True)
        if kind == "empty":
            return pd.Series(np.full(len(cells), np.nan))
        if types.is_bool_dtype(cells) or kind == "boolean":
            self.categorical = True
            return self._texts(cells)
        if self.categorical and kind not in ("string", "mixed", "mixed-integer"):
            return self._texts(cells)
        if types.is_numeric_dtype(cells) or kind in _NUMBERS:
            return self._numbers(cells)
        if kind in _DATES or types.is_datetime64_any_dtype(cells):
            raise DataError(f"column {self.name} holds dates or times ({cells.dtype})")
        if kind in ("mixed", "mixed-integer"):
            found = {type(v) for v in cells[cells.notna()]}
            if not found <= {str, int, float, bool, np.str_, np.int64, np.float64}:
                names = ", ".join(sorted(each.__name__ for each in found))
                raise DataError(f"column {self.name} holds objects ({names})")
            self.notices.append(f"Column {self.name} holds numbers and text; all became text.")
            cells = self._texts(cells)
        elif kind != "string":
            raise DataError(f"column {self.name} holds values of type {cells.dtype} ({kind})")
        return self._text(cells, text)

    def _numbers(self, cells: pd.Series[Any]) -> pd.Series[Any]:
        import pandas as pd

        if cells.dtype.kind == "c":
            raise DataError(f"column {self.name} holds complex numbers")
        self.is_number = True
        return pd.Series(cells.to_numpy(dtype=np.float64, na_value=np.nan))

    def _texts(self, cells: pd.Series[Any]) -> pd.Series[Any]:
        """The cells as text, missing ones as None."""
        import pandas as pd

        codes, values = pd.factorize(cells)
        names = np.array([*map(as_text, values), None], object)
        return pd.Series(names[codes], dtype=object)

    def _text(self, cells: pd.Series[Any], parse: bool) -> pd.Series[Any]:
        """Text without spaces around it; numbers, if all cells are numbers and it is parsed."""
        import pandas as pd

        if parse and (values := self._parsed(cells)) is not None:
            self.is_number = True
            return pd.Series(values)
        stripped = cells.str.strip()
        missing = stripped.isin(MISSING)
        self.tokens.update(map(str, stripped[missing & (stripped != "")]))
        stripped = stripped.mask(missing | stripped.isna(), None)
        present = stripped[stripped.notna()]
        if not len(present):
            return pd.Series(np.full(len(cells), np.nan))
        if parse and present.str.fullmatch(NUMBER).all():
            self.notices.append(
                f"Column {self.name} has whole numbers that begin with 0, as codes do, and is text."
            )
        elif (present != cells[present.index]).any():
            self.notices.append(f"Spaces around the texts of column {self.name} were removed.")
        return stripped

    def _parsed(self, cells: pd.Series[Any]) -> np.ndarray | None:
        """The numbers in cells of text, NaN where one is missing; None if some are no numbers."""
        import pyarrow as pa
        from pyarrow import compute

        texts = compute.utf8_trim_whitespace(pa.array(cells, pa.string(), from_pandas=True))
        missing = compute.is_in(texts, pa.array(MISSING))
        try:
            plain = compute.if_else(missing, None, texts)
            found = compute.cast(plain, pa.float64())
        except pa.ArrowInvalid:
            return None
        if found.null_count == len(found):
            return None
        if compute.any(compute.match_substring_regex(plain, r"^-?0\d+$")).as_py():
            return None
        tokens = compute.filter(texts, missing).to_pylist()
        self.tokens.update(token for token in tokens if token)
        values: np.ndarray = found.to_numpy(zero_copy_only=False)
        return values

    @property
    def missing(self) -> np.ndarray:
        """Which cells are missing, [N]."""
        return self.series.isna().to_numpy()

    @property
    def distinct(self) -> int:
        """The number of different values."""
        return int(self.series.nunique())

    def numbers(self, rows: Sequence[str]) -> np.ndarray:
        """Numbers, NaN where one is missing, [N].

        rows: the names of the rows, for messages.

        Raises:
            DataError: a cell is no number, or is infinite.
        """
        if not self.is_number and not self.missing.all():
            values = self.series.dropna().astype(str)
            wrong = values[~values.str.fullmatch(f"{NUMBER}|{_INFINITY}")]
            if len(wrong):
                raise DataError(
                    f'column {self.name} has "{wrong.iloc[0]}" in {rows[wrong.index[0]]}, and the '
                    "model takes numbers"
                )
            self.series = self.series.mask(self.missing, "nan").astype(np.float64)
        found: np.ndarray = self.series.to_numpy(dtype=np.float64)
        infinite = np.flatnonzero(np.isinf(found))
        if len(infinite):
            more = f" and {len(infinite) - 1:,} more rows" if len(infinite) > 1 else ""
            raise DataError(f"column {self.name} is infinite in {rows[infinite[0]]}{more}")
        large = np.flatnonzero(np.abs(found) > MAX_NUMBER)
        if len(large):
            value, row = found[large[0]], rows[large[0]]
            raise DataError(
                f"column {self.name} has {value:g} in {row}, and numbers up to {MAX_NUMBER:g} can "
                "be scaled"
            )
        return found

    def categories(self) -> tuple[tuple[str, ...], np.ndarray]:
        """The sorted names of the categories, and the category of each cell, −1 if missing."""
        import pandas as pd

        codes, values = pd.factorize(self.series)
        texts = [as_text(value) for value in values]
        names = sorted_names(texts)
        places = {name: i for i, name in enumerate(names)}
        table = np.array([*(places[text] for text in texts), -1])
        return tuple(names), table[codes]

    def indices(self, known: Sequence[str], rows: Sequence[str]) -> np.ndarray:
        """The category of each cell among the known ones, NaN where it is missing, [N].

        Raises:
            DataError: a category that is not known.
        """
        names, codes = self.categories()
        places = {name: i for i, name in enumerate(known)}
        table = np.array([*(places.get(name, -1) for name in names), np.nan])
        found: np.ndarray = table[codes]
        if (found < 0).any():
            first = int(np.flatnonzero(found < 0)[0])
            listed = ", ".join(known[:20]) + (" and so on" if len(known) > 20 else "")
            raise DataError(
                f'column {self.name} has "{names[codes[first]]}" in {rows[first]}, and the model '
                f"knows {listed}"
            )
        return found

    def too_many(self) -> str | None:
        """Why texts are no categories, with a hint at what they may be; None if they are."""
        n, count = int((~self.missing).sum()), self.distinct
        if count <= MAX_CATEGORIES and not (count > 10 and 2 * count > n):
            return None
        values = self.series.dropna().astype(str)
        example = f'such as "{values.iloc[0]}"'
        what = f"column {self.name} has {count:,} different texts in {n:,} rows, {example}"
        if values.str.fullmatch(_DATE).mean() > 0.9:
            return f"{what}, which are dates"
        if values.str.fullmatch(_UNIT).mean() > 0.5:
            wrong = values[~values.str.fullmatch(NUMBER)]
            if len(wrong) and len(wrong) < 0.5 * len(values):
                return f'{what}; they are numbers but for "{wrong.iloc[0]}", which is not one'
            return f"{what}; if they are numbers, write them without units and separators"
        return what


def column_of(cells: Cells, categorical: bool, rows: Sequence[str]) -> tuple[Column, np.ndarray]:
    """A column and its values: numbers or indices of categories, NaN where missing, [N].

    Raises:
        DataError: it has no values, infinite ones, or too many categories.
    """
    if cells.missing.all():
        raise DataError(f"column {cells.name} has only missing values")
    if cells.is_number and not categorical and not cells.categorical:
        return Column(cells.name), cells.numbers(rows)
    if not categorical and not cells.categorical and (why := cells.too_many()):
        raise DataError(why)
    names, codes = cells.categories()
    return Column(cells.name, "categorical", categories=names), np.where(codes < 0, np.nan, codes)


def as_text(value: Any) -> str:
    """The name of a category: whole numbers have no point.

    >>> as_text(3.0), as_text(0.5), as_text(True), as_text("a")
    ('3', '0.5', 'True', 'a')
    """
    is_number = isinstance(value, float | np.floating)
    return str(int(value)) if is_number and float(value).is_integer() else str(value)


def sorted_names(texts: Iterable[str]) -> list[str]:
    """Different texts in order: that of numbers if all are numbers.

    >>> sorted_names(["10", "9", "9"]), sorted_names(["b", "10", "9"])
    (['9', '10'], ['10', '9', 'b'])
    """
    names = sorted(set(texts))
    return sorted(names, key=float) if all(re.fullmatch(NUMBER, name) for name in names) else names


_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
_DATES = ("datetime", "datetime64", "date", "time", "timedelta", "timedelta64", "period")

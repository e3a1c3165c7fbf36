"""Tables from files and Python objects to pandas DataFrames, with a notice of each guess."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoencode.data.read.apostrophes import without_apostrophes
from autoencode.data.read.keys import PARTS
from autoencode.errors import DataError
from autoencode.io.files import open_regular, reason, shown, unzipped
from autoencode.io.memory import check_memory

if TYPE_CHECKING:
    import pandas as pd

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
PARQUET_ENDINGS = (".parquet", ".pq")
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")
SAMPLE = 2**20  # bytes from which the dialect of a file is recognised
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# A number with a decimal comma, with or without points between thousands.
COMMA_NUMBER = r"\s*[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?\s*"
THOUSANDS = r"\s*[+-]?\d{1,3}(?:\.\d{3})+\s*"
_DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "vertical bar", ",": "comma", " ": "space"}
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


def is_table_file(path: Path, head: bytes = b"") -> bool:
    """Whether a path is a table by its suffix, or by the first bytes of the file."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((*TEXT_ENDINGS, *PARQUET_ENDINGS, *SHEETS)) or head[:4] == b"PAR1"


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


def folder_tables(folder: Path) -> dict[str, Path]:
    """The tables train.csv, test.csv and so on of a folder, by part; {} for any other folder."""
    found: dict[str, Path] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                part = PARTS.get(entry.name.split(".")[0].lower())
                if (entry.is_dir() and entry.name[0] != ".") or (part and part in found):
                    return {}
                if part and is_table_file(Path(entry)):
                    found[part] = Path(entry)
    except OSError as error:
        raise DataError(f"{shown(folder)} cannot be read: {reason(error)}") from error
    return {part: found[part] for part in dict.fromkeys(PARTS.values()) if part in found}


def as_frame(x: Any) -> Frame:
    """The table in a Python object, with names for its rows if its index has them.

    Raises:
        DataError: it is no table, or pandas is not installed.
    """
    pandas = _pandas()
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
    header, notices = _unique_names([_joined(name) for name in table.columns], table)
    table.columns = pandas.Index(header)
    return Frame(table, names=names, notices=tuple(notices))


def read_table_file(path: Path) -> Frame:
    """The table in a text or Parquet file.

    Raises:
        DataError: it cannot be read, or pandas is not installed.
    """
    name = path.name.lower()
    if name.endswith(SHEETS):
        raise DataError(
            f"{shown(path)} is a spreadsheet, which is not read",
            "Save it as .csv, or give a DataFrame: pandas.read_excel(path).",
        )
    _pandas()
    with open_regular(path) as file:
        parquet = name.endswith(PARQUET_ENDINGS) or file.peek(4)[:4] == b"PAR1"
        if not parquet:
            content: bytes = bytes(unzipped(file).read())
    if parquet:
        return _read_parquet(path)
    check_memory(4 * len(content), f"The table {shown(path)}", "Give fewer rows or columns.")
    return _read_text(content, path)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise _not_installed("pandas") from error
    return pandas


def _not_installed(package: str) -> DataError:
    return DataError(
        f"Tables need {package}, which is not installed",
        'Install it: pip install "autoencode[tables]"',
    )


def _read_parquet(path: Path) -> Frame:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise _not_installed("pyarrow") from error
    try:
        table = parquet.read_table(path).to_pandas()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{shown(path)} is damaged: {why}", "Get or save it again.") from error
    return replace(as_frame(table), name=shown(path.name))


@dataclass(frozen=True)
class _Dialect:
    """How a text file is written: the delimiter, the cells of its first rows, and the comments.

    rows: cells.      ends: number of lines up to the end of each row.
    width: the number of cells in most rows below the first.
    """

    delimiter: str
    rows: list[list[str]]
    ends: list[int]
    width: int


def _read_text(content: bytes, path: Path) -> Frame:
    try:
        import pyarrow
        from pyarrow import csv as arrow
    except ImportError as error:
        raise _not_installed("pyarrow") from error
    file, notices = shown(path.name), list[str]()
    content = _utf8(content, file, notices)
    if not content.strip():
        raise DataError(f"{shown(path)} is empty", "Give a table with at least one row.")
    dialect = _dialect(content)
    if dialect.delimiter != ",":
        notices.append(f"The cells of {file} are separated by {_DELIMITERS[dialect.delimiter]}s.")
    header, skipped, named_rows = _header(dialect, file, notices)
    if dialect.delimiter == " ":
        content = b"\n".join(b" ".join(line.split()) for line in content.splitlines())
    bad: list[Any] = []

    def keep(row: Any) -> str:
        bad.append(row)
        return "skip"

    keys = [str(i) for i in range(len(header))]
    body = content.split(b"\n", skipped)
    if len(body) <= skipped or not body[skipped].strip():
        raise DataError(f"{shown(path)} has no rows below its header", "Give some rows.")
    try:
        found = arrow.read_csv(
            io.BytesIO(body[skipped]),
            arrow.ReadOptions(column_names=keys, block_size=min(len(content) + 1, 2**30)),
            arrow.ParseOptions(
                delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=keep
            ),
            arrow.ConvertOptions(
                column_types=dict.fromkeys(keys, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowException as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{shown(path)} cannot be read: {why}", "Correct the file.") from error
    if bad:
        line = content[: max(0, content.find(bad[0].text.encode()))].count(b"\n") + 1
        more = f", and so have {len(bad) - 1:,} more lines" if len(bad) > 1 else ""
        raise DataError(
            f"{shown(path)}: line {line} has {bad[0].actual_columns} cells instead of "
            f"{bad[0].expected_columns}{more} ({shown(bad[0].text[:60])})",
            "Correct the line: a cell that contains the delimiter must be in quotation marks.",
        )
    table = found.to_pandas()
    header = without_apostrophes(header, table, content, file, notices)
    if dialect.delimiter != ",":
        table = _decimal_points(table, dialect, notices)
    names = None
    if named_rows:
        names, table, header = table["0"].astype(str).tolist(), table.iloc[:, 1:], header[1:]
    header, more_notices = _unique_names(header, table)
    table.columns = _pandas().Index(header)
    return Frame(table, file, True, names, (*notices, *more_notices))


def _utf8(content: bytes, file: str, notices: list[str]) -> bytes:
    """The text of a file as UTF-8 with line feeds; another encoding is stated."""
    if content[:2] == b"PK" or (b"\0" in content and content[:2] not in (b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{file} is no text file", "Give a table saved as CSV, in UTF-8.")
    known = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252")
    for encoding in (*known, "latin-1"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    if encoding != "utf-8-sig":
        notices.append(f"{file} is not in UTF-8 and was read as {encoding}.")
    elif b"\r" not in content and not content.startswith(b"\xef\xbb\xbf"):
        return content
    return text.replace("\r\n", "\n").replace("\r", "\n").encode()


def _dialect(content: bytes) -> _Dialect:
    """The delimiter with which the first rows of a file have equal numbers of cells."""
    end = len(content) if len(content) <= SAMPLE else content.rfind(b"\n", 0, SAMPLE) + 1
    sample = content[: end or len(content)].decode("utf-8", "replace")
    for delimiter in _DELIMITERS:
        found = _parsed(sample, delimiter)
        if found.width > 1 and _is_even(found):
            return found
    return _parsed(sample, ",")


def _parsed(sample: str, delimiter: str) -> _Dialect:
    lines = sample.splitlines(keepends=True)
    if delimiter == " ":
        lines = [" ".join(line.split()) + "\n" for line in lines]
    reader = csv.reader(lines, delimiter=delimiter)
    rows, ends = list[list[str]](), list[int]()
    try:
        for row in reader:
            if row and row != [""]:
                rows.append([cell.strip() for cell in row])
                ends.append(reader.line_num)
            if len(rows) > 1000:
                break
    except csv.Error:  # a quotation mark that is never closed
        pass
    rows, ends = rows or [[""]], ends or [0]
    data = [len(row) for row in rows[1:] if not row[0].startswith("#")] or [len(rows[0])]
    return _Dialect(delimiter, rows, ends, Counter(data).most_common(1)[0][0])


def _is_even(found: _Dialect) -> bool:
    """Whether nearly all rows have one number of cells, and the header as many or one less."""
    rows = [row for row in found.rows if not row[0].startswith("#")] or found.rows
    same = sum(len(row) == found.width for row in rows[1:])
    even = len(rows[0]) in (found.width, found.width - 1) and same >= 0.9 * len(rows[1:])
    has_numbers = any(re.fullmatch(NUMBER, cell) for row in rows for cell in row)
    return even and (found.delimiter != " " or has_numbers)


def _header(dialect: _Dialect, file: str, notices: list[str]) -> tuple[list[str], int, bool]:
    """The names of the columns, the number of lines above the data, and whether rows are named."""
    rows, width = dialect.rows, dialect.width
    comments = 0
    while comments < len(rows) - 1 and rows[comments][0].startswith("#"):
        comments += 1
    last = rows[comments - 1] if comments else []
    if comments and last[0] == "#" and dialect.delimiter == " ":
        last = last[1:]
    commented = len(last) == width and len(last) > 1
    if commented:
        first, skipped = [last[0].lstrip("# "), *last[1:]], dialect.ends[comments - 1]
        comments -= 1
    else:
        first, skipped = rows[comments], dialect.ends[comments]
    if comments:
        notices.append(f"{comments} line(s) of {file} that start with # were left out.")
    data = rows[comments + 1 :]
    if not commented and _is_data(first, data):
        notices.append(
            f"{file} has no line with names of columns, so they are named x1 to x{len(first)}. If "
            "its first line holds names, put a letter before each number."
        )
        start = dialect.ends[comments - 1] if comments else 0
        return [f"x{i + 1}" for i in range(len(first))], start, False
    if len(first) == width - 1 and data:
        if all(row[-1] == "" for row in data if len(row) == width):
            return [*first, ""], skipped, False
        notices.append(f"The first column of {file} has no name and gives the names of the rows.")
        return ["", *first], skipped, True
    return first, skipped, False


def _is_data(first: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether the first line holds data: its numbers are in the range of the columns below."""
    numbers = {i: float(cell) for i, cell in enumerate(first) if re.fullmatch(NUMBER, cell)}
    values = list(numbers.values())
    steps = {b - a for a, b in pairwise(values)}
    if not values or steps == {1.0}:  # names such as 0, 1, 2 or 2019, 2020
        return False
    inside = 0
    below = list(rows)
    for i, value in numbers.items():
        column = [float(r[i]) for r in below if len(r) > i and re.fullmatch(NUMBER, r[i])]
        if column:
            low, high = min(column), max(column)
            inside += 2 * low - high <= value <= 2 * high - low
    return 2 * inside >= len(numbers) or not below


def _decimal_points(table: pd.DataFrame, dialect: _Dialect, notices: list[str]) -> pd.DataFrame:
    """The table with points for the commas of numbers, if the file writes no number with points."""
    cells = [cell for row in dialect.rows for cell in row]
    example = next((cell for cell in cells if re.fullmatch(COMMA_NUMBER, cell)), None)
    with_point = (cell for cell in cells if re.fullmatch(r"[+-]?\d+\.\d+", cell))
    if example is None or any(not re.fullmatch(THOUSANDS, cell) for cell in with_point):
        return table
    for name in table.columns:
        column = table[name]
        with_comma = column.str.fullmatch(COMMA_NUMBER)
        if with_comma.any():
            plain = column.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
            table[name] = column.mask(with_comma | column.str.fullmatch(THOUSANDS), plain)
    value = example.replace(".", "").replace(",", ".")
    notices.append(f"Numbers have decimal commas: {example} was read as {value}.")
    return table


def _joined(name: Any) -> str:
    """The name of a column as text; names of several levels are joined."""
    return "_".join(map(str, name)) if isinstance(name, tuple) else str(name).strip()


def _unique_names(names: Sequence[str], table: pd.DataFrame) -> tuple[list[str], list[str]]:
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

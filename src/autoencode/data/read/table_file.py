"""Tables from files, text or Parquet, with a notice of each guess."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from gzip import GzipFile
from io import BufferedReader
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.data.read.apostrophes import without_apostrophes
from autoencode.data.read.frame import Frame, as_frame, not_installed, pandas_module, unique_names
from autoencode.data.read.keys import PARTS
from autoencode.errors import DataError
from autoencode.io.files import STEP, decoding, open_regular, read_up_to, reason, shown, unzipped
from autoencode.io.memory import check_memory, gigabytes

if TYPE_CHECKING:
    import pandas as pd

TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
PARQUET_ENDINGS = (".parquet", ".pq")
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods")
MAX_COLUMNS = 50_000  # more take minutes
MAX_LINE = 2**24  # bytes
SAMPLE = 2**20  # bytes from which the dialect of a file is recognised
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# A number with a decimal comma, with or without points between thousands.
COMMA_NUMBER = r"\s*[+-]?(?:\d{1,3}(?:\.\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?\s*"
THOUSANDS = r"\s*[+-]?\d{1,3}(?:\.\d{3})+\s*"
_DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "vertical bar", ",": "comma", " ": "space"}


def is_table_file(path: Path, head: bytes = b"") -> bool:
    """Whether a path is a table by its suffix, or by the first bytes of the file."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((*TEXT_ENDINGS, *PARQUET_ENDINGS, *SHEETS)) or head[:4] == b"PAR1"


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
    pandas_module()
    with open_regular(path) as file:
        parquet = name.endswith(PARQUET_ENDINGS) or file.peek(4)[:4] == b"PAR1"
        if not parquet:
            content = _content(unzipped(file), path)
    return _read_parquet(path) if parquet else _read_text(content, path)


def _content(file: BufferedReader | GzipFile, path: Path) -> bytes:
    """All bytes of a text; what is no table is refused by its beginning.

    Raises:
        DataError: the first line is too long, or has too many cells, or it is no text.
        TooLarge: it is too large for the memory.
    """
    pieces = [bytes(read_up_to(file, MAX_LINE))]
    first = pieces[0].split(b"\n", 1)[0].split(b"\r", 1)[0]
    _refuse_binary(pieces[0], path)
    if len(first) == MAX_LINE:
        raise DataError(
            f"{shown(path)} is no table: its first line is longer than {gigabytes(MAX_LINE)}",
            "Give a table with a line for each row.",
        )
    _check_columns(max(first.count(d.encode()) + 1 for d in _DELIMITERS if d != " "), path)
    size = 0
    while pieces[-1]:
        size += len(pieces[-1])
        check_memory(4 * size, f"The table {shown(path)}", "Give fewer rows or columns.")
        pieces.append(bytes(read_up_to(file, STEP)))
    return b"".join(pieces)


def _refuse_binary(content: bytes, path: Path) -> None:
    """Refuse what has zero bytes and is not UTF-16."""
    if content[:2] == b"PK" or (b"\0" in content and content[:2] not in (b"\xff\xfe", b"\xfe\xff")):
        raise DataError(
            f"{shown(path.name)} is no text file", "Give a table saved as CSV, in UTF-8."
        )


def _check_columns(count: int, path: Path) -> None:
    if count > MAX_COLUMNS:
        raise DataError(
            f"{shown(path)} has {count:,} columns, and tables have up to {MAX_COLUMNS:,}",
            "If all are numbers, save them as an array: numpy.save('x.npy', x).",
        )


def _read_parquet(path: Path) -> Frame:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise not_installed("pyarrow") from error
    with decoding(shown(path)):
        claimed = parquet.read_metadata(path)
        _check_columns(claimed.num_columns, path)
        needed = 8 * claimed.num_rows * claimed.num_columns
        check_memory(needed, f"The table {shown(path)}", "Give fewer rows or columns.")
        table = parquet.read_table(path)
        table.validate(full=True)  # texts of damaged files may be no UTF-8
        frame = as_frame(table.to_pandas())
    return replace(frame, name=shown(path.name))


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
        raise not_installed("pyarrow") from error
    file, notices = shown(path.name), list[str]()
    _refuse_binary(content, path)
    content = _utf8(content, file, notices)
    if not content.strip():
        raise DataError(f"{shown(path)} is empty", "Give a table with at least one row.")
    dialect = _dialect(content)
    if dialect.delimiter != ",":
        notices.append(f"The cells of {file} are separated by {_DELIMITERS[dialect.delimiter]}s.")
    header, skipped, named_rows = _header(dialect, file, notices)
    _check_columns(len(header), path)
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
    header, more_notices = unique_names(header, table)
    table.columns = pandas_module().Index(header)
    return Frame(table, file, True, names, (*notices, *more_notices))


def _utf8(content: bytes, file: str, notices: list[str]) -> bytes:
    """The text of a file as UTF-8 with line feeds; another encoding is stated."""
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

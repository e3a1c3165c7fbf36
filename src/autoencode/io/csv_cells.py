"""Cells of CSV files that stay text in a spreadsheet, which computes cells that begin with `=`."""

from __future__ import annotations

import re
from typing import Any

# Also the wide forms that some keyboards give. A number may begin with + or -.
_FORMULA = re.compile("'*[=+\\-@\t\n＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv_cell(value: Any) -> Any:
    """A value as a cell: an apostrophe precedes text that a spreadsheet could take for a formula.

    Numbers, and texts of a number, stay as they are. All line breaks become line feeds, since
    readers disagree on others. Source: the page "CSV Injection" of OWASP.

    >>> [csv_cell(value) for value in ("=1+1", "-1.5", -1.5, "- a", "'=1", "'a'")]
    ["'=1+1", '-1.5', -1.5, "'- a", "''=1", "'a'"]
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def original_cell(cell: str) -> str:
    """The text whose cell `csv_cell` has written.

    >>> [original_cell(csv_cell(text)) for text in ("=1+1", "-1.5", "'=1", "'a'")]
    ['=1+1', '-1.5', "'=1", "'a'"]
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell

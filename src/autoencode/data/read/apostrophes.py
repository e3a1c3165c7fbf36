"""Reads the cells that `io.csv_cells` keeps from being formulas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoencode.io.csv_cells import original_cell

if TYPE_CHECKING:
    import pandas as pd


def without_apostrophes(
    header: list[str], table: pd.DataFrame, content: bytes, file: str, notices: list[str]
) -> list[str]:
    """Take the apostrophe from names and cells before =, +, - and @; returns the names.

    table: cells as text, changed in place.
    content: of the file, in which most files are found to have none.
    notices: gets a sentence if something was changed.
    """
    if not re.search(rb"'(?:[=+@\t\n-]|\xef\xbc)", content):
        return header
    names = [original_cell(name) for name in header]
    changed = names != header
    for key in table.columns:
        if table[key].str.startswith("'").any():
            cells = table[key].map(original_cell)
            changed |= not cells.equals(table[key])
            table[key] = cells
    if changed:
        notices.append(
            f"The apostrophes in {file} before =, +, - and @, which keep a spreadsheet from "
            "computing the cells, were left out."
        )
    return names

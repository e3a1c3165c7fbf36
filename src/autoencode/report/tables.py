"""The numbers behind a figure, as a table that every program reads."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from numbers import Integral, Real
from typing import Any

import numpy as np
from torch import Tensor

from autoencode.report.formatting import count, short

# Longer codes would make a page too long: of them the first numbers are given.
MOST_NUMBERS = 64


@dataclass(frozen=True)
class Table:
    """Columns of one length; the name of each says its unit, where it has one.

    columns: name -> numbers or text; what is None or not finite is left empty.
    digits: of a float that count.   note: what is not in the table, for the page to say.
    title: of a table that is shown as such.
    """

    columns: Mapping[str, Sequence[Any] | np.ndarray]
    digits: int = 4
    note: str = ""
    title: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def csv(self) -> str:
        """The table as comma-separated values: a line of names, then a line a row.

        >>> Table({"step": [1, 20], "loss, nats": [0.25, 1 / 3]}).csv()
        'step,"loss, nats"\\n1,0.25\\n20,0.3333\\n'
        """
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        # From arrays to Python's own numbers: faster to write, one by one.
        columns = [np.asarray(column, dtype=object) for column in self.columns.values()]
        writer.writerows(zip(*(map(self._cell, column) for column in columns), strict=True))
        return text.getvalue()

    def rows(self) -> list[list[str]]:
        """The table as people read it, row by row.

        >>> Table({"model": ["ae", "vae"], "images": [60000, None], "error": [1 / 3, 0.5]}).rows()
        [['ae', '60,000', '0.333'], ['vae', '–', '0.500']]
        """
        columns = [map(_shown, column) for column in self.columns.values()]
        return [list(row) for row in zip(*columns, strict=True)]

    def of_numbers(self) -> list[bool]:
        """Which of the columns hold numbers."""
        return [
            all(value is None or _is_number(value) for value in column)
            for column in self.columns.values()
        ]

    def _cell(self, value: Any) -> str:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return ""
        return f"{value:.{self.digits}g}" if isinstance(value, float) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _shown(value: Any) -> str:
    if value is None or (_is_number(value) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return count(int(value)).replace("-", "−")
    return short(float(value)) if _is_number(value) else str(value)


def code_columns(codes: Tensor) -> dict[str, np.ndarray]:
    """Codes [N, d] as columns, one for each of their numbers or of the first 64.

    All are rounded to the fourth digit of the largest: what lies near 0 takes no more room.
    """
    kept = codes[:, :MOST_NUMBERS].double().numpy()
    largest = float(np.abs(kept).max(initial=0))
    kept = np.round(kept, 3 - math.floor(math.log10(largest)) if largest else 0) + 0.0
    return {f"code {i}": column for i, column in enumerate(kept.T, 1)}


def joined_code_columns(each: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Codes of several models, [N, d] each with a d of its own, one below the other.

    Where a model's codes have no such number its cells stay empty.
    """
    known = [code_columns(codes) for codes in each]
    return {
        name: np.concatenate(
            [
                columns.get(name, np.full(len(codes), np.nan))
                for columns, codes in zip(known, each, strict=True)
            ]
        )
        for name in max(known, key=len)
    }


def left_out(latent: int) -> str:
    """What `code_columns` left out of codes of so many numbers.

    >>> left_out(3136), left_out(2)
    ('the first 64 of the 3,136 numbers of each code', '')
    """
    if latent <= MOST_NUMBERS:
        return ""
    return f"the first {MOST_NUMBERS} of the {count(latent)} numbers of each code"

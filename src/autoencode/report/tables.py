"""The numbers behind a figure as a table, for pages and for CSV files."""

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

from autoencode.io.csv_cells import csv_cell
from autoencode.report.formatting import count, short

# Longer codes would make a page too large: only their first dimensions are in a table.
MAX_DIMENSIONS = 64

Column = Sequence[Any] | np.ndarray


@dataclass(frozen=True)
class Table:
    """Columns of one length; the name of each contains its unit, where it has one.

    columns: name -> numbers or text; cells that are None or not finite are empty.
    digits: significant digits of a float in CSV.   note: what the table omits, a phrase.
    """

    columns: Mapping[str, Column]
    digits: int = 4
    note: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def csv(self) -> str:
        """The table as comma-separated values: a line of names, then a line a row.

        Text that a spreadsheet could take for a formula follows an apostrophe.

        >>> Table({"step": [1, 20], "loss, nats": [0.25, 1 / 3]}).csv()
        'step,"loss, nats"\\n1,0.25\\n20,0.3333\\n'
        """
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(csv_cell, self.columns))
        # Python numbers are faster to write one by one than those of arrays.
        columns = [np.asarray(column, dtype=object) for column in self.columns.values()]
        writer.writerows(zip(*(map(self._cell, column) for column in columns), strict=True))
        return text.getvalue()

    def rows(self) -> list[list[str]]:
        """The cells as text for readers, row by row.

        >>> Table({"model": ["ae", "vae"], "images": [60000, None], "error": [1 / 3, 0.5]}).rows()
        [['ae', '60,000', '0.333'], ['vae', '–', '0.500']]
        """
        columns = [map(_shown, column) for column in self.columns.values()]
        return [list(row) for row in zip(*columns, strict=True)]

    def is_numeric(self) -> list[bool]:
        """Whether each column has only numbers."""
        return [
            all(value is None or _is_number(value) for value in column)
            for column in self.columns.values()
        ]

    def _cell(self, value: Any) -> str:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return ""
        if isinstance(value, float):
            return f"{value:.{self.digits}g}"
        return str(value) if _is_number(value) else str(csv_cell(str(value)))


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


def code_columns(*models: Tensor) -> dict[str, np.ndarray]:
    """Codes of one or more models as columns "z1", "z2" and so on, at most 64.

    models: the codes of each, [N, d] with a d for each model, one below the other. Cells of latent
        dimensions that a model does not have are empty. All values of a model are rounded to the
        fourth digit of its largest value, to save space.
    """
    width = min(MAX_DIMENSIONS, max(codes.shape[1] for codes in models))
    parts = []
    for codes in models:
        values = codes[:, :width].double().numpy()
        largest = float(np.abs(values).max(initial=0))
        values = np.round(values, 3 - math.floor(math.log10(largest)) if largest else 0) + 0.0
        missing = (0, width - values.shape[1])
        parts.append(np.pad(values, ((0, 0), missing), constant_values=np.nan))
    return {f"z{i}": column for i, column in enumerate(np.concatenate(parts).T, 1)}


def omitted_dimensions(latent: int) -> str:
    """A note on the latent dimensions that `code_columns` omits.

    >>> omitted_dimensions(3136), omitted_dimensions(2)
    ('the first 64 of 3,136 latent dimensions', '')
    """
    if latent <= MAX_DIMENSIONS:
        return ""
    return f"the first {MAX_DIMENSIONS} of {count(latent)} latent dimensions"

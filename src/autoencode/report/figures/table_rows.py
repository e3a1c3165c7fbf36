"""Rows of a table and their reconstructions, in the units of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self, final

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from torch import Tensor

from autoencode.evaluation.examples import example_names, in_own_units, row_columns
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.formatting import count, short
from autoencode.report.labels import text_width
from autoencode.report.style import (
    INK,
    ORANGE,
    PAPER,
    SMALL,
    SOFT,
    WIDTH,
    Picture,
    names,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

# Test rows of each block, and columns of the table that are drawn.
ROWS, MAX_COLUMNS = 3, 20
# The error, in preprocessed units, of the darkest colour.
DARKEST = 2.0
# Inches of a cell and of the titles; letters of a column's name, a row's name and a value.
CELL, TITLES = 0.4, 0.66
NAME_LETTERS, LETTERS = 16, 9


@final
@dataclass(frozen=True)
class TableRows(Figure):
    """Test rows, the random ones first, then those of highest error.

    rows: their names.   columns: of the table.   errors: squared error of each row, [n].
    originals, restored: their values in the units of the table, [n, columns]; None if missing.
    differences: absolute error of each value in preprocessed units, 1 for a wrong category,
        [n, columns]; NaN if missing.
    mean: squared error of all test rows.   total: how many there are.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    originals: Sequence[Sequence[Any]]
    restored: Sequence[Sequence[Any]]
    differences: np.ndarray
    errors: Sequence[float]
    n_random: int
    mean: float
    total: int

    key = "reconstructions"
    title = "Reconstructions"

    @classmethod
    def for_run(cls, context: ReportContext) -> Self | None:
        """Of the run's test part, if that is a table."""
        data, view = context.data, context.view
        if not data.is_table:
            return None
        n = len(view.errors)
        drawn = torch.randperm(n, generator=torch.Generator().manual_seed(1))[:ROWS]
        worst = view.errors.argsort(descending=True, stable=True)[:ROWS]
        which = torch.cat([drawn, worst])
        x, y = view.examples(n)[which], view.decode(view.codes[which], which)
        return cls(
            example_names(data, view.positions[which].tolist()),
            [column.name for column in row_columns(data)],
            in_own_units(data, x),
            in_own_units(data, y),
            _differences(context, x, y),
            view.errors[which].tolist(),
            len(drawn),
            view.errors.mean().item(),
            view.total,
        )

    def shown(self) -> list[int]:
        """The columns that are drawn: of many, those with the highest errors in these rows."""
        order = np.argsort(-np.nan_to_num(self.differences).mean(0), kind="stable")
        return sorted(order[:MAX_COLUMNS].tolist())

    @styled()
    def draw(self) -> Picture:
        """A cell for each value: the original above the reconstruction, darker the farther off."""
        shown, n = self.shown(), len(self.rows)
        named = names(self.columns, NAME_LETTERS, "column")
        labels = [named[k] for k in shown]
        left = max(map(text_width, labels)) + 0.15
        height = TITLES + CELL * len(shown) + 0.1
        figure = new_figure(WIDTH, height)
        axes = figure.add_axes(
            (left / WIDTH, 0.05 / height, 1 - (left + 0.05) / WIDTH, CELL * len(shown) / height)
        )
        shade = LinearSegmentedColormap.from_list("errors", [PAPER, "#f7c592"])
        shares = np.clip(self.differences[:, shown].T / DARKEST, 0, 1)
        shares[self._wrong()[:, shown].T] = 1
        axes.imshow(np.ma.masked_invalid(shares), cmap=shade, vmin=0, vmax=1, aspect="auto")
        for i, column in enumerate(shown):
            decimals = _decimals([row[column] for row in self.originals])
            for lift, rows, colour in ((-0.2, self.originals, INK), (0.22, self.restored, SOFT)):
                for k, row in enumerate(rows):
                    text = _shown(row[column], decimals)
                    axes.text(k, i + lift, text, ha="center", va="center", size=SMALL, color=colour)
        axes.set_yticks(range(len(shown)), labels, size=SMALL)
        titles = names([_ending(name) for name in self.rows], LETTERS + 2, "row")
        errors = [
            f"{title}\n{short(error)}" for title, error in zip(titles, self.errors, strict=True)
        ]
        axes.set_xticks(range(n), errors, size=SMALL)
        axes.xaxis.tick_top()
        axes.tick_params(length=0, labelcolor=INK)
        axes.grid(visible=False)
        axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(len(shown) - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="#e8ecf0", linewidth=1)
        axes.tick_params(which="minor", length=0)
        axes.axvline(self.n_random - 0.5, color=ORANGE, linewidth=1.2)
        for start, end, title in (
            (0, self.n_random, "random"),
            (self.n_random, n, "highest error"),
        ):
            middle = ((start + end) / 2 - 0.5, -0.5 - (TITLES - 0.12) / CELL)
            axes.text(*middle, title, ha="center", va="center", size=SMALL, weight="bold")
        axes.spines[:].set_visible(False)
        return figure

    def _wrong(self) -> np.ndarray:
        """Whether a value is a category that is reconstructed as another, [n, columns]."""
        return np.array(
            [
                [isinstance(a, str) and a != b for a, b in zip(*both, strict=True)]
                for both in zip(self.originals, self.restored, strict=True)
            ],
            dtype=bool,
        ).reshape(len(self.rows), len(self.columns))

    def table(self) -> Table:
        """A row for each value of each test row."""
        n = len(self.columns)
        blocks = ["random"] * self.n_random
        blocks += ["highest error"] * (len(self.rows) - self.n_random)
        return Table(
            {
                "block": [block for block in blocks for _ in range(n)],
                "row": [row for row in self.rows for _ in range(n)],
                "column": [*self.columns] * len(self.rows),
                "original": [value for row in self.originals for value in row],
                "reconstruction": [value for row in self.restored for value in row],
            }
        )

    def caption(self) -> str:
        hidden = len(self.columns) - MAX_COLUMNS
        rest = f" {count(hidden)} columns with lower errors are in the data below only."
        rest = rest if hidden > 0 else ""
        return (
            f"{count(len(self.rows))} of {count(self.total)} test rows, which the model was not "
            f"trained on, side by side: {self.n_random} random ones, and to the right of the line "
            f"the {len(self.rows) - self.n_random} of highest error. In each cell the original is "
            "above its reconstruction, in the units of the table; – is a missing value. The number "
            "below a row's name is its squared error, summed over the preprocessed values. The "
            "colour is the error of a value: white for none, darkest from "
            f"{DARKEST:g} preprocessed units on, or for a wrong category.{rest}"
        )

    def findings(self) -> str:
        worst = self.n_random
        words = f"The highest error is {short(self.errors[worst])}, of {self.rows[worst]}"
        if self.mean > 0:
            times = self.errors[worst] / self.mean
            words += f": {times:.1f} times the mean of {short(self.mean)}"
        column = int(np.nan_to_num(self.differences[worst:]).mean(0).argmax())
        return (
            f"{words}. In the rows of highest error, the column that is farthest off is "
            f"“{self.columns[column]}”."
        )

    def alt(self) -> str:
        return (
            f"A grid of the values of {len(self.rows)} test rows in {len(self.shown())} columns, "
            f"each above its reconstruction. {self.findings()}"
        )


def _differences(context: ReportContext, x: Tensor, y: Tensor) -> np.ndarray:
    columns = []
    for column in row_columns(context.data):
        original, restored = x[:, column.block], y[:, column.block]
        if column.categories is None:
            columns.append((original - restored).abs().squeeze(1))
            continue
        wrong = original.nan_to_num(0.0).argmax(1) != restored.argmax(1)
        columns.append(wrong.float().masked_fill(original.isnan().any(1), torch.nan))
    return torch.stack(columns, 1).double().numpy()


def _decimals(values: Sequence[Any]) -> int:
    """Decimals of the numbers of a column: three digits of the largest."""
    largest = max((abs(value) for value in values if _is_number(value)), default=0.0)
    return int(np.clip(2 - math.floor(math.log10(largest)), 0, 6)) if largest else 2


def _shown(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    if _is_number(value):
        text = f"{value + 0.0:,.{decimals}f}"
        return (text if len(text) <= LETTERS + 1 else f"{value:.2e}").replace("-", "−")
    return names([str(value)], LETTERS, "category")[0]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _ending(name: str) -> str:
    """The end of a long name, by which files of one folder differ."""
    return name if len(name) <= LETTERS + 2 else f"…{name[-LETTERS - 1 :]}"

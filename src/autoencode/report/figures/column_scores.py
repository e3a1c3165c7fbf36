"""How well each column of a table is reconstructed, beside a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from matplotlib.patheffects import withStroke

from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.formatting import count
from autoencode.report.labels import put_ticks
from autoencode.report.style import (
    BLUE,
    INK,
    PAPER,
    RULE,
    SMALL,
    SOFT,
    WIDTH,
    Picture,
    categories,
    dots,
    legend_below,
    names,
    new_figure,
    styled,
)
from autoencode.report.tables import Column, Table

MAX_COLUMNS = 40
# The axis does not go below this: R² has no lower end.
LOWEST = -1.0
# Inches of a column's bars, and letters of its name.
ROW, LETTERS = 0.42, 20


@final
@dataclass(frozen=True)
class ColumnScores(Figure):
    """A score of each column for the model and for a reference; 1 is the best.

    score: "R²" or "accuracy".   reference: what the second values are of; empty without them.
    """

    key: str
    title: str
    score: str
    columns: Sequence[str]
    values: Sequence[float]
    reference: str
    references: Sequence[float]
    text: str

    @classmethod
    def r2(cls, context: ReportContext) -> Self | None:
        """R² of the numeric columns, where it was measured, beside that of PCA."""
        metrics = context.metrics
        if not (columns := metrics.get("numeric_columns")):
            return None
        references = metrics.get("r2_per_column_of_pca", ())
        beside = ""
        if references:
            d = metrics["pca_dimensions"]
            beside = f"PCA with {count(d)} dimension{'' if d == 1 else 's'}"
        text = (
            "R² of each numeric column on the test part: 1 without error, 0 for the mean of the "
            "training part as every reconstruction, negative if that is better. Missing values are "
            "left out."
        )
        values = metrics["r2_per_column"]
        return cls("column-r2", "R² by column", "R²", columns, values, beside, references, text)

    @classmethod
    def accuracy(cls, context: ReportContext) -> Self | None:
        """Accuracy of the categorical columns, where it was measured, beside a constant guess."""
        metrics = context.metrics
        if not (columns := metrics.get("categorical_columns")):
            return None
        return cls(
            "column-accuracy",
            "Accuracy by column",
            "accuracy",
            columns,
            metrics["accuracy_per_column"],
            "the most frequent category",
            metrics["majority_share_per_column"],
            "The share of test examples whose category is reconstructed, for each categorical "
            "column; the reconstructed category is the one with the highest value. Missing values "
            "are left out.",
        )

    def order(self) -> list[int]:
        """The columns that are drawn, the lowest score first."""
        return sorted(range(len(self.values)), key=self.values.__getitem__)[:MAX_COLUMNS]

    @styled()
    def draw(self) -> Picture:
        """Two bars for each column, with their values."""
        order, places = self.order(), np.arange(min(MAX_COLUMNS, len(self.values)))
        figure = new_figure(WIDTH, 0.85 + ROW * len(order), fitted=True)
        axes = figure.add_subplot()
        series = [(self.values, BLUE, "this model")]
        if self.references:
            series.append((self.references, RULE, self.reference))
        height = 0.76 / len(series)
        for i, (values, colour, _) in enumerate(series):
            chosen = np.array([values[k] for k in order])
            drawn = axes.barh(
                places + (i - (len(series) - 1) / 2) * height,
                chosen.clip(LOWEST),
                height=height,
                color=colour,
            )
            texts = [f"{value:.2f}".replace("-", "−") for value in chosen]
            outline = [withStroke(linewidth=2.5, foreground=PAPER)]
            axes.bar_label(
                drawn,
                texts,
                padding=3,
                size=SMALL - 1,
                color=INK if i == 0 else SOFT,
                path_effects=outline,
            )
        low = min(min(values[k] for k in order) for values, *_ in series)
        axes.set_xlim(max(LOWEST, low) * 1.15 if low < 0 else 0, 1.12)
        axes.axvline(0, color=RULE, linewidth=0.8)
        axes.set_ylim(len(order) - 0.4, -0.6)
        labels = names(self.columns, LETTERS, "column")
        categories(axes, [labels[k] for k in order], places)
        axes.tick_params(axis="y", labelcolor=INK)
        put_ticks(axes.xaxis)
        axes.set_xlabel(self.score)
        if len(series) > 1:
            legend_below(figure, dots([name for *_, name in series], [c for _, c, _ in series]))
        return figure

    def table(self) -> Table:
        """A row for each column, in the order of the table."""
        columns: dict[str, Column] = {"column": list(self.columns), self.score: list(self.values)}
        if self.references:
            columns[f"{self.score}, {self.reference}"] = list(self.references)
        return Table(columns, digits=6)

    def caption(self) -> str:
        rest = len(self.values) - MAX_COLUMNS
        which = (
            f" The {MAX_COLUMNS} columns with the lowest {self.score}; {count(rest)} others are "
        )
        left_out = f"{which}in the data below only." if rest > 0 else ""
        cut = " Bars end at −1." if self._lowest() < LOWEST else ""
        return f"{self.text}{left_out}{cut}"

    def _lowest(self) -> float:
        return min((*self.values, *self.references))

    def findings(self) -> str:
        worst = int(np.argmin(self.values))
        mean = sum(self.values) / len(self.values)
        words = (
            f"The mean {self.score} of {_columns(len(self.values))} is {_score(mean)}; the lowest "
            f"is {_score(self.values[worst])}, of “{self.columns[worst]}”."
        )
        if not self.references:
            return words
        below = sum(a < b for a, b in zip(self.values, self.references, strict=True))
        return f"{words} It is below that of {self.reference} in {_columns(below)}."

    def alt(self) -> str:
        beside = f", each above a bar for {self.reference}" if self.reference else ""
        return (
            f"Bars of the {self.score} of {_columns(len(self.order()))}{beside}. {self.findings()}"
        )


def _columns(n: int) -> str:
    return f"{count(n)} column{'' if n == 1 else 's'}"


def _score(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")

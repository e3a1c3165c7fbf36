"""Metrics of several models with their confidence intervals, one panel each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from matplotlib.axes import Axes

from autoencode.evaluation.compare.comparison import ComparedMetric, Comparison
from autoencode.report.figures.base import Figure
from autoencode.report.labels import put_ticks, wrapped
from autoencode.report.pages.compared import table, title_of
from autoencode.report.style import (
    BLUE,
    FAINT,
    INK,
    SMALL,
    SOFT,
    WIDTH,
    Picture,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

# Panels, of which the table has all, and panels in a row.
MAX_PANELS, COLUMNS = 8, 2
# Inches of a model's row, of a panel's title, and of the names.
ROW, TEXT, NAME = 0.24, 0.62, 1.2


@final
@dataclass(frozen=True)
class ConfidenceIntervals(Figure):
    """Means, intervals and seeds of the models of a comparison, one panel for each metric."""

    found: Comparison

    key = "confidence-intervals"
    title = "Confidence intervals"

    @styled()
    def draw(self) -> Picture:
        """A panel for each metric: dots for means, lines for 95 % intervals, rings for the best."""
        shown = self.metrics()
        columns = min(COLUMNS, len(shown))
        rows = -(-len(shown) // columns)
        labels = [wrapped(model.name, NAME, SMALL) for model in self.found.models]
        lines = sum(1 + 0.7 * label.count("\n") for label in labels)
        figure = new_figure(WIDTH, rows * (ROW * lines + TEXT) + 0.1, fitted=True)
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes in grid.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, each in zip(grid.flat, shown, strict=False):
            _panel(axes, each, self.found, labels)
        return figure

    def metrics(self) -> list[ComparedMetric]:
        """The first metrics with a better direction that two models have, if there are two."""
        least = min(2, len(self.found.models))
        compared = [
            each for each in self.found.figures if each.info.better and len(each.models) >= least
        ]
        return compared[:MAX_PANELS]

    def caption(self) -> str:
        return (
            "Each dot is the mean of a model, the line through it its 95 % interval, and each "
            "small stroke one seed. A ring marks a model whose difference to every other model is "
            "significant. Models are compared on pairs (the same seeds or test examples), so that "
            "a difference can be significant where intervals overlap. Axes do not begin at 0."
        )

    def findings(self) -> str:
        if len(self.found.models) == 1:
            return "The interval shows how far another model must be away to differ from this one."
        shown = self.metrics()
        won: dict[str, list[str]] = {}
        for figure in shown:
            if figure.best is not None:
                won.setdefault(figure.best, []).append(title_of(figure))
        if not won:
            return "In none of these metrics is one model significantly better than every other."
        words = [f"{name} is best in {', '.join(of)}" for name, of in won.items()]
        left = len(shown) - sum(map(len, won.values()))
        rest = f" In {left} of these {len(shown)} metrics no model is significantly best."
        return f"Significantly, {'; '.join(words)}.{rest if left else ''}"

    def alt(self) -> str:
        names = ", ".join(title_of(figure) for figure in self.metrics())
        n = len(self.found.models)
        models = f"each of {n} models" if n > 1 else "one model"
        return f"Dots with intervals for {models}: {names}. {self.findings()}"

    def table(self) -> Table:
        """A row for each metric of each model, also of those without a panel."""
        return table(self.found)


def _panel(axes: Axes, figure: ComparedMetric, found: Comparison, labels: list[str]) -> None:
    scale = 100 if figure.info.share else 1
    for row, model in enumerate(found.models):
        if model not in figure.models:
            continue
        each = model.figures[figure.name]
        if each.interval is not None:
            axes.hlines(row, *(scale * np.array(each.interval)), color=BLUE, linewidth=2.2)
        seeds = scale * np.array(each.values)
        if len(seeds) > 1:
            axes.plot(seeds, [row] * len(seeds), "|", color=SOFT, markersize=7, markeredgewidth=0.9)
        axes.plot(scale * each.mean, row, "o", color=BLUE, markersize=5)
        if figure.best == model.name:
            axes.scatter(scale * each.mean, row, s=100, facecolor="none", edgecolor=INK, lw=1.4)
    axes.set_yticks(range(len(labels)), labels, size=SMALL)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(visible=False, axis="y")
    axes.set_facecolor("none")
    axes.spines["left"].set_color(FAINT)
    put_ticks(axes.xaxis, most=4)
    unit = ", %" if figure.info.share else ""
    arrow = "←" if figure.info.better == "lower" else "→"
    axes.set_title(f"{title_of(figure)}{unit}  {arrow} better", size=SMALL + 0.5)

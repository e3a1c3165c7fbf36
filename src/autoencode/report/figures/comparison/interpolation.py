"""Interpolation between the same test examples by several models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

import autoencode.report.claims as claims
from autoencode.report.figures.base import ComparisonFigure
from autoencode.report.figures.interpolation import (
    STEPS,
    Interpolation,
    code_table,
    implausible,
    pairs,
    strip,
)
from autoencode.report.figures.rows import NAME_WIDTH, Row, draw_rows
from autoencode.report.labels import wrapped
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table, omitted_dimensions
from autoencode.report.view import View

PAIRS = 3


@final
@dataclass(frozen=True)
class ComparedInterpolation(ComparisonFigure):
    """A block for each pair of examples, with a row for each model."""

    key = Interpolation.key
    title = Interpolation.title

    @classmethod
    def applies(cls, views: Mapping[str, View]) -> bool:
        """Where one of the models can interpolate."""
        return any(Interpolation.applies(view) for view in views.values())

    @property
    def continuous(self) -> dict[str, View]:
        """The models that can interpolate, which those of a finite code book cannot."""
        return {name: view for name, view in self.views.items() if Interpolation.applies(view)}

    @styled()
    def draw(self) -> Picture:
        """The originals are at the ends of each row."""
        rows: list[Row] = []
        for _, (first, second) in self._pairs():
            for name, view in self.continuous.items():
                label = wrapped(name, NAME_WIDTH, SMALL + 1)
                row = strip(view, first, second, STEPS, label, with_titles=not rows)
                rows.append(replace(row, space_below=0.035))
            rows[-1] = replace(rows[-1], space_below=0.25)
        return draw_rows(rows)

    def _pairs(self) -> list[tuple[str, tuple[int, int]]]:
        return pairs(next(iter(self.views.values())))[:PAIRS]

    def table(self) -> Table:
        """A row for each code."""
        longest = max(view.latent for view in self.continuous.values())
        return Table(code_table(self.continuous, PAIRS), note=omitted_dimensions(longest))

    def caption(self) -> str:
        discrete = [name for name in self.views if name not in self.continuous]
        verb = "have" if len(discrete) > 1 else "has"
        rest = f" {', '.join(discrete)} {verb} discrete codes, with none in between."
        return (
            "Each row has two test examples at its ends, the same for every model, and images "
            f"decoded at equal steps between their codes.{rest if discrete else ''}"
        )

    def findings(self) -> str:
        shares = {name: implausible(view, PAIRS) for name, view in self.continuous.items()}
        return claims.off_manifold_of_models("Interpolated images", shares)

    def alt(self) -> str:
        labels = [label for label, _ in self._pairs() if label]
        between = f" ({', '.join(labels)})" if labels else ""
        models = ", ".join(self.continuous)
        return f"Strips of images interpolated between two test examples{between}, for {models}."

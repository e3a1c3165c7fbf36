"""Images decoded from random codes of several models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.report.figures.base import ComparisonFigure
from autoencode.report.figures.rows import NAME_WIDTH, Row, draw_rows
from autoencode.report.figures.samples import Samples
from autoencode.report.labels import wrapped
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table, code_columns, omitted_dimensions

ROWS, COLUMNS = 2, 10


@final
@dataclass(frozen=True)
class ComparedSamples(ComparisonFigure):
    """Two rows of images for each model."""

    key = Samples.key
    title = Samples.title

    @styled()
    def draw(self) -> Picture:
        """The first random codes of each model, decoded."""
        rows = []
        for name, view in self.views.items():
            pictures = view.decoded(view.random_codes(ROWS * COLUMNS))
            label = wrapped(name, NAME_WIDTH, SMALL + 1)
            rows.append(Row(pictures[:COLUMNS], label, space_below=0.035))
            rows.append(Row(pictures[COLUMNS:], space_below=0.2))
        return draw_rows(rows)

    def table(self) -> Table:
        """A row for each code, in reading order."""
        codes = [view.random_codes(ROWS * COLUMNS) for view in self.views.values()]
        return Table(
            {
                "model": [name for name in self.views for _ in range(ROWS * COLUMNS)],
                "image": [*range(1, ROWS * COLUMNS + 1)] * len(self.views),
                **code_columns(*codes),
            },
            note=omitted_dimensions(max(each.shape[1] for each in codes)),
        )

    def caption(self) -> str:
        return (
            "Each image is decoded from a random code: the first ones, not selected. A model "
            "without a distribution of codes uses the bounding box of its test codes."
        )

    def findings(self) -> str:
        sources = ", ".join(f"{view.code_source} ({name})" for name, view in self.views.items())
        empty = {name: measurements.empty_region_share(view) for name, view in self.views.items()}
        off = {name: Samples(view).implausible() for name, view in self.views.items()}
        sentences = (
            f"The codes are sampled from {sources}.",
            claims.empty_regions_of_models(empty),
            claims.off_manifold_of_models("Samples", off),
        )
        return " ".join(filter(None, sentences))

    def alt(self) -> str:
        return f"{ROWS * COLUMNS} images of random codes for each of {', '.join(self.views)}."

"""Images decoded from random codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.report.figures.base import ViewFigure
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Column, Table, code_columns, omitted_dimensions

ROWS, COLUMNS = 8, 10
# Random codes whose images are compared with the test images.
MEASURED = 500


@final
@dataclass(frozen=True)
class Samples(ViewFigure):
    """The first codes of the model's sampler or prior; without one, of the box of the codes."""

    key = "samples"
    title = "Samples from random codes"

    @styled()
    def draw(self) -> Picture:
        """Images in rows."""
        pictures = self.view.decoded(self.view.random_codes(ROWS * COLUMNS))
        rows = [pictures[start : start + COLUMNS] for start in range(0, len(pictures), COLUMNS)]
        return draw_rows([Row(row, space_below=0.035) for row in rows])

    def table(self) -> Table:
        """A row for each code, in reading order."""
        view, codes = self.view, self.view.random_codes(ROWS * COLUMNS)
        columns: dict[str, Column] = {"image": range(1, len(codes) + 1)}
        if view.class_conditional:
            labels = view.cycled_context(len(codes)).tolist()
            columns["conditioned on class"] = [view.classes[label] for label in labels]
        columns |= code_columns(codes)
        return Table(columns, note=omitted_dimensions(view.latent))

    def caption(self) -> str:
        cycled = " Each class is the condition in turn." if self.view.class_conditional else ""
        return f"Each image is decoded from a random code: the first ones, not selected.{cycled}"

    def findings(self) -> str:
        view = self.view
        sentences = (
            claims.empty_regions(view.code_source, measurements.empty_region_share(view)),
            claims.off_manifold("Samples", self.implausible()),
        )
        return " ".join(filter(None, sentences))

    def implausible(self) -> float | None:
        """The share of implausible images of random codes; None for few examples."""
        images = self.view.decode(self.view.random_codes(MEASURED))
        return measurements.implausible_share(self.view, images)

    def alt(self) -> str:
        return f"{ROWS * COLUMNS} images, decoded from random codes of {self.view.code_source}."

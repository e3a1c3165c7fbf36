"""A projection of the codes that preserves neighbourhoods: t-SNE or UMAP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, final

from torch import Tensor

import autoencode.report.claims as claims
import autoencode.report.measurements as measurements
from autoencode.data import Data
from autoencode.evaluation import Projection, saved_projection
from autoencode.models.run import Run
from autoencode.report.figures.base import Figure, ReportContext
from autoencode.report.figures.scatter import draw_points, present_classes
from autoencode.report.formatting import count
from autoencode.report.style import WIDTH, Picture, new_figure, styled
from autoencode.report.tables import Table

Method = Literal["tsne", "umap"]
METHODS: dict[Method, str] = {"tsne": "t-SNE", "umap": "UMAP"}


@final
@dataclass(frozen=True)
class CodeProjection(Figure):
    """Projected codes with the class of each, `y` [N]; None without labels."""

    projected: Projection
    y: Tensor | None
    classes: Sequence[str]

    @property
    def name(self) -> str:
        """The name of the method."""
        return METHODS[self.projected.method]  # type: ignore[index]

    @property
    def key(self) -> str:  # type: ignore[override]  # read-only here, as all figures are frozen
        """One for each method."""
        return f"projection-{self.projected.method}"

    @property
    def title(self) -> str:  # type: ignore[override]  # as above
        """One for each method."""
        return f"{self.name} projection of the codes"

    @classmethod
    def for_run(cls, context: ReportContext, method: Method) -> Self | None:
        """Where the run has a projection of these test examples by that method."""
        return cls.saved(context.run, context.data, method)

    @classmethod
    def saved(cls, run: Run, data: Data, method: Method) -> Self | None:
        """The projection of the test examples that a run has, by that method, if it has one."""
        projected = saved_projection(run, method)
        if projected is None or projected.of != len(data.test):
            return None
        y = None if data.test.y is None else data.test.y[projected.rows]
        return cls(projected, y, data.classes)

    @styled()
    def draw(self) -> Picture:
        """A point for each code, without axes: positions and distances have no unit."""
        figure = new_figure(WIDTH, WIDTH + 0.1, fitted=True)
        axes = figure.add_subplot()
        draw_points(figure, axes, self.projected.points, self.y, self.classes, outliers=0.0)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        return figure

    def table(self) -> Table:
        """A row for each projected code, in the order of the test set."""
        labels = {} if self.y is None else {"label": [self.classes[k] for k in self.y.tolist()]}
        points = self.projected.points
        return Table(
            {
                "position in the test set": self.projected.rows.numpy(),
                **{f"{self.name} {i + 1}": points[:, i].numpy() for i in (0, 1)},
                **labels,
            }
        )

    def caption(self) -> str:
        n = count(len(self.projected.points))
        if self.projected.of != len(self.projected.points):
            n = f"{n} of {count(self.projected.of)}"
        coloured = ", coloured by class" if self.y is not None else ""
        return (
            f"A {self.name} projection of the codes of {n} test examples{coloured}. It is made so "
            "that the nearest neighbours of a code in the latent space are near it. Distances "
            "between groups, their sizes and densities, and directions have no meaning."
        )

    def findings(self) -> str:
        if self.y is None:
            return ""
        agreement = measurements.label_agreement(self.projected.points, self.y)
        return claims.label_agreement("points", *agreement)

    def alt(self) -> str:
        coloured = (
            f", coloured by {len(present_classes(self.y))} classes" if self.y is not None else ""
        )
        n = count(len(self.projected.points))
        return f"A scatter plot, by {self.name}, of the codes of {n} test examples{coloured}."

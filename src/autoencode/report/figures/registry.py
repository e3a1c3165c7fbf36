"""Which figures a report and a comparison page contain, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from autoencode.report.figures.base import ComparisonFigure, Figure, ReportContext, ViewFigure
from autoencode.report.figures.best_and_worst import BestAndWorst
from autoencode.report.figures.class_errors import ClassErrors
from autoencode.report.figures.class_samples import ClassSamples
from autoencode.report.figures.column_scores import ColumnScores
from autoencode.report.figures.comparison.interpolation import ComparedInterpolation
from autoencode.report.figures.comparison.reconstructions import ComparedReconstructions
from autoencode.report.figures.comparison.samples import ComparedSamples
from autoencode.report.figures.decoded_grid import DecodedGrid
from autoencode.report.figures.denoising import Denoising
from autoencode.report.figures.interpolation import Interpolation
from autoencode.report.figures.kl_by_dimension import KLByDimension
from autoencode.report.figures.latent_space import LatentSpace
from autoencode.report.figures.projection import CodeProjection
from autoencode.report.figures.reconstructions import Reconstructions
from autoencode.report.figures.samples import Samples
from autoencode.report.figures.table_rows import TableRows
from autoencode.report.figures.training_curves import TrainingCurves
from autoencode.report.figures.training_progress import TrainingProgress
from autoencode.report.view import View

# Constructors that return None where their figure does not apply to a run.
REPORT_FIGURES: tuple[Callable[[ReportContext], Figure | None], ...] = (
    Reconstructions.for_run,
    TableRows.for_run,
    BestAndWorst.for_run,
    ColumnScores.r2,
    ColumnScores.accuracy,
    ClassErrors.for_run,
    Denoising.for_run,
    LatentSpace.for_run,
    partial(CodeProjection.for_run, method="tsne"),
    partial(CodeProjection.for_run, method="umap"),
    Samples.for_run,
    DecodedGrid.for_run,
    Interpolation.for_run,
    ClassSamples.for_run,
    KLByDimension.for_run,
    TrainingCurves.for_run,
    TrainingProgress.for_run,
)
# One figure of all models together, or one of each model.
COMPARISON_FIGURES: tuple[type[ComparisonFigure | ViewFigure], ...] = (
    ComparedReconstructions,
    LatentSpace,
    ComparedInterpolation,
    ComparedSamples,
    DecodedGrid,
)


def report_figures(context: ReportContext) -> list[Figure]:
    """The figures of a run, without those that do not apply to its model or data."""
    figures = (create(context) for create in REPORT_FIGURES)
    return [figure for figure in figures if figure is not None]


def comparison_figures(
    views: Mapping[str, View],
    tables: bool = False,
    projections: Mapping[str, Sequence[CodeProjection]] | None = None,
) -> list[dict[str, Figure]]:
    """The figures of several models, by the models' names in each section.

    A figure of all models together has the name "".

    tables: the examples are rows of a table, which are not drawn as images.
    projections: those that the runs of the models have, shown below the latent spaces.
    """
    sections: list[dict[str, Figure]] = []
    for kind in COMPARISON_FIGURES:
        if tables and kind.draws_examples:
            continue
        if issubclass(kind, ViewFigure):
            sections.append({name: kind(v) for name, v in views.items() if kind.applies(v)})
        else:
            sections.append({"": kind(views)} if kind.applies(views) else {})
        if kind is LatentSpace:
            found = [(name, each) for name, some in (projections or {}).items() for each in some]
            sections += [
                {name: each for name, each in found if each.key == key}
                for key in dict.fromkeys(each.key for _, each in found)
            ]
    return [section for section in sections if section]

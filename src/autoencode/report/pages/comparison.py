"""The page of a comparison: the metrics of several models, then figures of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from autoencode.data import Data
from autoencode.evaluation.compare.comparison import RULE, Comparison
from autoencode.evaluation.metric_info import metric_info
from autoencode.models.conditions import conditioning
from autoencode.models.run import Run
from autoencode.report.figures.base import Figure
from autoencode.report.figures.comparison.intervals import ConfidenceIntervals
from autoencode.report.figures.projection import METHODS, CodeProjection
from autoencode.report.figures.registry import comparison_figures
from autoencode.report.formatting import count
from autoencode.report.pages.compared import groups, pca_sentences
from autoencode.report.pages.details import Detail, model_details
from autoencode.report.pages.html import write_page
from autoencode.report.view import View


def write_comparison_page(
    found: Comparison,
    path: Path,
    title: str = "",
    command: str = "",
    data: Data | None = None,
    load: Callable[[Run], Data] = Run.load_data,
) -> Path:
    """Write the page of several models; returns the path.

    command: the command that makes the page, which is shown on it.
    data: the data of the runs; None loads them with `load`, which may also give new data.

    Raises:
        RunError: a run has no weights, its data cannot be loaded, or the file not be written.
        ResourceError: the disk is full.
    """
    views: dict[str, View] = {}
    projections: dict[str, list[CodeProjection]] = {}
    tables = False
    for model in found.models:
        run = model.median.run
        # Most often the data of the previous model.
        if data is None or data.fingerprint != run.data["fingerprint"]:
            data = load(run)
        tables = data.is_table
        conditions = conditioning(run.recipe, data.test)
        views[model.name] = View.of(
            run.load_model(), data.test.x, data.test.y, data.classes, conditions
        )
        if views[model.name].latent > 2:  # others are shown as they are
            saved = [CodeProjection.saved(run, data, each) for each in METHODS]
            projections[model.name] = [each for each in saved if each is not None]
    first, n = found.models[0].trials[0], len(found.models)
    runs = sum(len(model.trials) for model in found.models)
    name = "One model" if n == 1 else f"{count(n)} models"
    return write_page(
        Path(path),
        "compare.html",
        title=title or f"{name} on {first.run.data['name']}",
        lead=(
            f"{count(runs)} runs, measured on the same {count(first.metrics['n_test'])} test "
            f"examples of {first.run.data['name']}, which no model was trained on."
        ),
        groups=groups(found),
        pca=" ".join(pca_sentences(found)),
        rule=RULE,
        shown_runs=_shown_runs(found),
        sections=[
            _section({"": ConfidenceIntervals(found)}),
            *(_section(figures) for figures in comparison_figures(views, tables, projections)),
        ],
        models=[
            (
                model_details(model.name, model.median.run, [each.run for each in model.trials]),
                model.median.folder,
            )
            for model in found.models
        ],
        command=command,
        methods=_methods(found),
    )


def _shown_runs(found: Comparison) -> str:
    """Which runs the images are of, in sentences; empty if each model has one run."""
    if all(len(model.trials) == 1 for model in found.models):
        return ""
    seeds = ", ".join(f"{model.median.seeds[0]} ({model.name})" for model in found.models)
    return (
        "The images are of one run of each model: the run with the median squared error of its "
        f"seeds, of two the lower one. Seeds of these runs: {seeds}."
    )


def _section(figures: Mapping[str, Figure]) -> tuple[str, Mapping[str, Figure]]:
    """Figures by the names of their models, "" for one of all; and their caption if all agree."""
    captions = {figure.caption() for figure in figures.values()}
    return captions.pop() if len(captions) == 1 else "", figures


def _methods(found: Comparison) -> list[Detail]:
    """How each metric was measured."""
    details = {}
    for figure in found.figures:
        notes = {note for model in figure.models for note in model.notes(figure.name)}
        note = figure.note or "; ".join(sorted(notes))
        details[figure.name] = Detail(metric_info(figure.name).title, figure.unit, note)
    return list(details.values())

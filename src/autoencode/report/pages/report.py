"""The report of a run: one HTML file without external resources."""

from __future__ import annotations

from pathlib import Path

from autoencode.data import Data
from autoencode.errors import DataError
from autoencode.evaluation.headlines import pca_advice
from autoencode.evaluation.saved import read_metrics
from autoencode.io.hub import refuse_hub_copy
from autoencode.models.conditions import conditioning
from autoencode.models.run import Run
from autoencode.report.figures.base import ReportContext
from autoencode.report.figures.registry import report_figures
from autoencode.report.formatting import count, latent_dimensions
from autoencode.report.pages.details import (
    headline_details,
    metric_groups,
    metrics_table,
    model_details,
)
from autoencode.report.pages.html import write_page
from autoencode.report.view import View


def write_report(run: Run, path: Path | None = None, data: Data | None = None) -> Path:
    """Write a run's report, by default `report.html` in its folder; returns the path.

    data: the data of the run; None loads them.

    Raises:
        RunError: the run has no weights, its metrics are damaged, its data cannot be loaded, or the
            file not be written.
        DataError: other data than those of the run.    ResourceError: the disk is full.
    """
    if path is None:
        refuse_hub_copy(run.folder)
    data = _data_of(run, data)
    model, name = run.load_model(), run.recipe.name
    metrics = read_metrics(run, len(data.test)) or {}
    conditions = conditioning(run.recipe, data.test)
    view = View.of(model, data.test.x, data.test.y, data.classes, conditions)
    context = ReportContext(run, data, view, metrics)
    return write_page(
        run.folder / "report.html" if path is None else Path(path),
        "page.html",
        title=f"{name} on {run.data['name']}",
        lead=_lead(run),
        headlines=headline_details(run, model, metrics),
        pca=pca_advice(metrics),
        figures=report_figures(context),
        metric_groups=metric_groups(metrics),
        metrics_table=metrics_table(metrics),
        model=model_details(name, run, [run]),
    )


def _data_of(run: Run, data: Data | None) -> Data:
    if data is None:
        return run.load_data()
    if data.fingerprint != run.data["fingerprint"]:
        raise DataError(
            f"The data {data.name} are not those that {run.folder} was trained on",
            f"Give its own data: {run.data['name']}.",
        )
    return data


def _lead(run: Run) -> str:
    """Latent dimensions, steps and data, in a sentence."""
    words = f"An autoencoder with {latent_dimensions(run.sizes.latent)}"
    if "steps" in run.summary:
        words += f", trained for {count(run.summary['steps'])} steps on {run.data['name']}"
    return f"{words}. All metrics and figures are of the test set unless they say otherwise."

"""The report of a run: one HTML file without external resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup
from torch import nn

from autoencode.data import Data
from autoencode.errors import AutoencodeError, DataError
from autoencode.evaluation.evaluate import evaluate
from autoencode.evaluation.headlines import pca_advice
from autoencode.evaluation.saved import read_metrics
from autoencode.io.hub import refuse_hub_copy
from autoencode.io.store import write_json
from autoencode.models.conditions import conditioning
from autoencode.models.module_run import ModuleRun
from autoencode.models.run import Run
from autoencode.report.architecture import architecture
from autoencode.report.diagram import diagram
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


def write_report(
    run: Run | nn.Module, path: Any = None, data: Any = None, *, out: str | Path | None = None
) -> Path:
    """Write a run's report, by default `report.html` in its folder; returns the path.

    run: also any `nn.Module` with an encoder and a decoder, see `models.foreign`, with `data`.
    data: the data of the run; None loads them. Of a module, anything that `load_data` takes.
    out: instead of `path`, the folder for `report.html`; for a module, which is measured first,
        also for `metrics.json`.

    Raises:
        AutoencodeError: a module without data or path, or one that cannot be used.
        RunError: the run has no weights, its metrics are damaged, its data cannot be loaded, or the
            file not be written.
        DataError: other data than those of the run.    ResourceError: the disk is full.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/ae")
    >>> ae.write_report(fitted.run)
    PosixPath('runs/ae/report.html')
    """
    folder = None if out is None else Path(out)
    if not isinstance(run, Run):
        if folder is not None and data is None:  # write_report(module, data, out=folder)
            path, data = None, path
        return _module_report(run, path, data, folder)
    path = path if folder is None else folder / "report.html"
    if path is None:
        refuse_hub_copy(run.folder)
    data = _data_of(run, data)
    return _written(run, path, data, read_metrics(run, len(data.test)) or {})


def _module_report(
    module: nn.Module, path: str | Path | None, data: Any, folder: Path | None
) -> Path:
    """The report of a module in memory, which is measured for it."""
    if folder is None and (path is None or data is None):  # one argument is the data
        raise AutoencodeError(
            "A module has no run folder to write a report to",
            'Name one: write_report(module, "mnist", out="folder").',
        )
    run = ModuleRun.of(module, data)
    metrics = evaluate(run.load_model(), run.load_data()).to_dict()
    if folder is not None:
        path = folder / "report.html"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "metrics.json", metrics)
    return _written(run, path, run.load_data(), metrics)


def _written(run: Run, path: Path | str | None, data: Data, metrics: dict[str, Any]) -> Path:
    model, name = run.load_model(), run.recipe.name
    conditions = conditioning(run.recipe, data.test)
    view = View.of(model, data.test.x, data.test.y, data.classes, conditions)
    context = ReportContext(run, data, view, metrics)
    found = architecture(view)
    return write_page(
        run.folder / "report.html" if path is None else Path(path),
        "page.html",
        title=f"{name} on {run.data['name']}",
        lead=_lead(run),
        headlines=headline_details(run, model, metrics),
        pca=pca_advice(run.recipe, metrics),
        figures=report_figures(context),
        metric_groups=metric_groups(metrics),
        metrics_table=metrics_table(metrics),
        architecture=found,
        diagram=Markup(diagram(found, "Layers of the model")),
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

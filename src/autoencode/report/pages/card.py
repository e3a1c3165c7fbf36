"""The model card: what a model is, how it was trained and its metrics, as one Markdown file."""

from __future__ import annotations

from pathlib import Path

from autoencode.evaluation.saved import read_metrics
from autoencode.models.run import Run
from autoencode.report.pages.details import error_details, metric_groups, model_details
from autoencode.report.pages.html import write_page


def write_card(run: Run) -> Path:
    """Write `card.md` into a run's folder, with the metrics of its last evaluation.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    metrics = read_metrics(run) or {}
    return write_page(
        run.folder / "card.md",
        "card.md",
        model=model_details(run.recipe.name, run, [run]),
        data=run.data["name"],
        metric_groups=metric_groups(metrics),
        error=error_details(run, metrics),
    )

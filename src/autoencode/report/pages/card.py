"""The model card: what a model is, how it was trained and its metrics, as one Markdown file."""

from __future__ import annotations

from pathlib import Path

from autoencode.io.store import write_text
from autoencode.models.run import Run
from autoencode.report.pages.details import environment_of, metric_groups, model_details


def write_card(run: Run) -> Path:
    """Write `card.md` into a run's folder, with the metrics of its last evaluation.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    metrics = []
    for group in metric_groups(run.metrics() or {}):
        metrics += [f"### {group.title}", "", "| metric | value | how |", "|---|---|---|"]
        metrics += [
            f"| {_cell(each.name)} | {_cell(each.value)} | {_cell(each.note)} |"
            for each in group.details
        ]
        metrics.append("")
    model, made = model_details(run.recipe.name, run, [run]), environment_of(run)
    lines = [
        f"# {model.name} on {run.data['name']}",
        "",
        "## Recipe",
        "",
        f"Aim of the recipe (not measured): {model.about}",
        "",
        f"    {model.formula}",
        "",
        *(f"- {slot}: `{filled}`" for slot, filled in model.slots.items()),
        "",
        "## Metrics on test data",
        "",
        "In brackets: 95% intervals over the test examples, not over training runs.",
        "",
        *metrics,
        "## Data",
        "",
        *(f"- {each.name}: {each.value}" for each in model.data),
        "",
        "## Training",
        "",
        *(f"    {command}" for command in model.commands),
        "",
        f"autoencode {made.get('autoencode')}, torch {made.get('torch')}, "
        f"Python {made.get('python')}, {made.get('platform')}",
        "",
        "## Papers",
        "",
        *(f"- {paper}" for paper in model.papers),
    ]
    path = run.folder / "card.md"
    write_text(path, "\n".join(lines) + "\n")
    return path


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

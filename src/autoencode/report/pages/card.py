"""The model card: what a model is, how it was made and how good it is, on one page of Markdown."""

from __future__ import annotations

from pathlib import Path

from autoencode.io.store import read_json, write_text
from autoencode.models.describe import formula, papers, slots
from autoencode.models.run import Run
from autoencode.report.pages.facts import data_facts, measured


def write_card(run: Run) -> Path:
    """Writes `card.md` into a run's folder, with the figures of its last evaluation.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    figures = []
    for group in measured(run.metrics() or {}):
        figures += [f"### {group.title}", "", "| figure | value | how |", "|---|---|---|"]
        figures += [
            f"| {_cell(fact.name)} | {_cell(fact.value)} | {_cell(fact.note)} |"
            for fact in group.facts
        ]
        figures.append("")
    path = run.folder / "environment.json"
    made = read_json(path) if path.exists() else {}
    lines = [
        f"# {run.recipe.name} on {run.data['name']}",
        "",
        run.recipe.about,
        "",
        f"    {formula(run.recipe)}",
        "",
        *(f"- {slot}: `{filled}`" for slot, filled in slots(run.recipe).items()),
        "",
        "## Measured on test data",
        "",
        "In brackets: 95% intervals over the test examples, not over trainings.",
        "",
        *figures,
        "## Data",
        "",
        *(f"- {fact.name}: {fact.value}" for fact in data_facts(run)),
        "",
        "## Made by",
        "",
        f"    {made.get('command', '')}",
        "",
        f"autoencode {made.get('autoencode')}, torch {made.get('torch')}, "
        f"Python {made.get('python')}, {made.get('platform')}",
        "",
        "## Papers",
        "",
        *(f"- {paper}" for paper in papers(run.recipe)),
    ]
    path = run.folder / "card.md"
    write_text(path, "\n".join(lines) + "\n")
    return path


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

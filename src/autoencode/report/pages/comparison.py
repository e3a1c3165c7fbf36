"""The page of a comparison: several models side by side, figures first, then what they draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autoencode.data import Data
from autoencode.evaluation.compare.comparison import RULE, ComparedModel, Comparison
from autoencode.evaluation.metric_info import metric_info
from autoencode.io.store import read_json
from autoencode.models.conditions import conditioning
from autoencode.models.describe import formula, papers, slots
from autoencode.report.figures import grid, plane
from autoencode.report.figures.side import draws, intervals, sheet, ways
from autoencode.report.formatting import count
from autoencode.report.pages.compared import Group, groups
from autoencode.report.pages.facts import Fact, data_facts, settings_facts
from autoencode.report.pages.html import Shown, plain, shown, write_page
from autoencode.report.plates import plate
from autoencode.report.view import View, look


@dataclass(frozen=True)
class Section:
    """One figure of all models together, named "", or one of each.

    about: what the figure is, once for all of them; empty where they differ.
    """

    key: str
    title: str
    about: str
    figures: list[tuple[str, Shown]]


@dataclass(frozen=True)
class Account:
    """What the page says of one model.

    pictured: the run that pictures are of.   commands: of each of its trainings.
    """

    name: str
    about: str
    pictured: list[Fact]
    formula: str
    slots: Mapping[str, str]
    papers: list[str]
    commands: list[str]
    settings: list[Fact]
    data: list[Fact]
    versions: list[Fact]


def write_comparison_page(
    found: Comparison, path: Path, title: str = "", command: str = "", data: Data | None = None
) -> Path:
    """Writes the page of several models; returns where it is.

    command: the one that makes it, for the page to say.
    data: those of the runs, where they are at hand; else they are loaded again.

    Raises:
        RunError: a run has no weights, lacks its data, or the file cannot be written.
        ResourceError: the disk is full.
    """
    views = {}
    for model in found.models:
        run = model.median.run
        # The data of the model before are most often this one's too.
        if data is None or data.fingerprint != run.data["fingerprint"]:
            data = run.load_data()
        told = conditioning(run.recipe, data.test)
        views[model.name] = look(run.load_model(), data.test.x, data.test.y, data.classes, told)
    first = found.models[0].trials[0]
    runs = sum(len(model.trials) for model in found.models)
    table: list[Group] = groups(found)
    return write_page(
        Path(path),
        "compare.html",
        title=title or f"{_number(len(found.models))} on {first.run.data['name']}",
        lead=(
            f"{count(runs)} runs, measured on the same {count(first.metrics['n_test'])} test "
            f"examples of {first.run.data['name']}, which no training has seen."
        ),
        groups=table,
        rule=RULE,
        pictured=_pictured(found),
        sections=[_noise(found), *_sections(views)],
        accounts=[_account(model) for model in found.models],
        command=command,
        measured=_measured(found),
    )


def _number(models: int) -> str:
    return "One model" if models == 1 else f"{count(models)} models"


def _pictured(found: Comparison) -> str:
    """Of which runs the pictures are."""
    if all(len(model.trials) == 1 for model in found.models):
        return ""
    seeds = ", ".join(f"{model.name}: {model.median.seeds[0]}" for model in found.models)
    return (
        "The pictures are of one run of each model: that whose squared error is the median of its "
        f"seeds, of two the lower one. Its seed is, of {seeds}."
    )


def _noise(found: Comparison) -> Section:
    return _together("intervals", intervals, found)


def _sections(views: Mapping[str, View]) -> list[Section]:
    sections = [_together("reconstructions", sheet, views), _each("plane", plane, views)]
    between = ways.going(views)
    if between:
        sections.append(_together("paths", ways, views))
    sections.append(_together("samples", draws, views))
    if between:
        sections.append(_each("grid", grid, between))
    return sections


def _together(key: str, module: ModuleType, looked_at: Any) -> Section:
    drawn = shown(plate(module, looked_at), f"compare-{key}")
    return Section(key, module.TITLE, drawn.about, [("", drawn)])


def _each(key: str, module: ModuleType, views: Mapping[str, View]) -> Section:
    figures = [
        (name, shown(plate(module, view), f"{plain(name)}-{key}")) for name, view in views.items()
    ]
    abouts = {drawn.about for _, drawn in figures}
    return Section(key, module.TITLE, abouts.pop() if len(abouts) == 1 else "", figures)


def _account(model: ComparedModel) -> Account:
    run = model.median.run
    made = []
    for trial in model.trials:
        path = trial.run.folder / "environment.json"
        made.append(dict(read_json(path)) if path.exists() else {})
    commands = [str(each.pop("command")) for each in made if "command" in each]
    seeds = Fact("seed", ", ".join(str(trial.seeds[0]) for trial in model.trials))
    settings = [fact for fact in settings_facts(run) if fact.name != "seed"]
    return Account(
        name=model.name,
        about=run.recipe.about,
        pictured=[Fact("run", model.median.folder)],
        formula=formula(run.recipe),
        slots=slots(run.recipe),
        papers=papers(run.recipe),
        commands=commands,
        settings=[seeds, *settings],
        data=data_facts(run),
        versions=[Fact(name, str(value)) for name, value in made[0].items()],
    )


def _measured(found: Comparison) -> list[Fact]:
    """How each figure was measured."""
    facts = {}
    for figure in found.figures:
        notes = {note for model in figure.models for note in model.notes(figure.name)}
        note = figure.note or "; ".join(sorted(notes))
        facts[figure.name] = Fact(metric_info(figure.name).title, figure.unit, note)
    return list(facts.values())

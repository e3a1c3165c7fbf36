"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoencode.data import Data
from autoencode.errors import DataError
from autoencode.io.store import read_json
from autoencode.models.conditions import conditioning
from autoencode.models.describe import formula, papers, slots
from autoencode.models.run import Run
from autoencode.report.formatting import count, numbers
from autoencode.report.pages.facts import (
    Fact,
    Group,
    data_facts,
    headline,
    measured,
    measured_table,
    settings_facts,
)
from autoencode.report.pages.html import Download, Shown, download, plain, shown, write_page
from autoencode.report.plates import Plate, plates
from autoencode.report.view import look


@dataclass(frozen=True)
class Section:
    """One figure with its title; `key` is its name in links."""

    key: str
    title: str
    figure: Shown


@dataclass(frozen=True)
class Account:
    """All that a page says of one run; `plates` are its figures, `csv` holds what was measured."""

    name: str
    about: str
    trained: str
    facts: list[Fact]
    formula: str
    slots: dict[str, str]
    papers: list[str]
    plates: dict[str, Plate]
    command: str
    measured: list[Group]
    csv: Download
    settings: list[Fact]
    data: list[Fact]
    versions: list[Fact]


def write_report(run: Run, path: Path | None = None, data: Data | None = None) -> Path:
    """Writes a run's report, by default `report.html` in its folder; returns where it is.

    `data` are the run's own, where they are at hand; else they are loaded again.

    Raises:
        RunError: the run has no weights, lacks its data, or the file cannot be written.
        DataError: the data are not those of the run.    ResourceError: the disk is full.
    """
    account = _account(run, _data_of(run, data))
    return write_page(
        run.folder / "report.html" if path is None else Path(path),
        "page.html",
        title=f"{account.name} on {run.data['name']}",
        account=account,
        sections=[
            Section(key, plate.title, shown(plate, f"{plain(account.name)}-{key}"))
            for key, plate in account.plates.items()
        ],
    )


def _data_of(run: Run, data: Data | None) -> Data:
    if data is None:
        return run.load_data()
    if data.fingerprint != run.data["fingerprint"]:
        raise DataError(
            f"These data, {data.name}, are not those that {run.folder} was trained on",
            f"Give its own: {run.data['name']}.",
        )
    return data


def _account(run: Run, data: Data) -> Account:
    model, metrics = run.load_model(), run.metrics() or {}
    view = look(model, data.test.x, data.test.y, data.classes, conditioning(run.recipe, data.test))
    path = run.folder / "environment.json"
    environment: dict[str, Any] = read_json(path) if path.exists() else {}
    command = str(environment.pop("command", ""))
    return Account(
        name=run.recipe.name,
        about=run.recipe.about,
        trained=_trained(run),
        facts=headline(run, model, metrics),
        formula=formula(run.recipe),
        slots=slots(run.recipe),
        papers=papers(run.recipe),
        plates=plates(run, view, metrics, data),
        command=command,
        measured=measured(metrics),
        csv=download(measured_table(metrics), f"{plain(run.recipe.name)}-figures"),
        settings=settings_facts(run),
        data=data_facts(run),
        versions=[Fact(name, str(value)) for name, value in environment.items()],
    )


def _trained(run: Run) -> str:
    words = f"Codes of {numbers(run.sizes.latent)}"
    if "steps" in run.summary:
        words += f", trained for {count(run.summary['steps'])} steps on {run.data['name']}"
    return f"{words}."

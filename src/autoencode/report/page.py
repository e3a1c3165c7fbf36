"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from autoencode.data import Data
from autoencode.errors import DataError, RunError
from autoencode.models.conditions import known
from autoencode.models.describe import formula, papers, slots
from autoencode.models.run import Run
from autoencode.models.store import read_json, write_text
from autoencode.report.facts import (
    Fact,
    compare,
    data_facts,
    headline,
    measured,
    settings_facts,
)
from autoencode.report.plates import Plate, plates
from autoencode.report.style import DPI
from autoencode.report.tables import Table
from autoencode.report.view import look
from autoencode.report.words import count, numbers

# Of a WebP: text and pixels' edges stay sharp; a slower method would save a twentieth of the bytes.
QUALITY, METHOD = 90, 2


@dataclass(frozen=True)
class Download:
    """A figure's numbers as a file within the page.

    file: its name.   source: its text as a data URI.   words, note: of the link, and beside it.
    """

    file: str
    source: str
    words: str
    note: str


@dataclass(frozen=True)
class Shown:
    """A figure as the page holds it; width and height in the page's own pixels.

    about, see, alt: its words, see `Plate`.   source: the picture as a data URI.
    data: its numbers, if it has any.
    """

    about: str
    see: str
    alt: str
    source: str
    width: int
    height: int
    data: Download | None


@dataclass(frozen=True)
class Section:
    """One figure of every run, None for a run that does not have it.

    about: what the figure is, once for all of them; empty where they differ.
    """

    key: str
    title: str
    about: str
    figures: list[tuple[str, Shown | None]]


@dataclass(frozen=True)
class Account:
    """All that a page says of one run; `plates` are its figures."""

    name: str
    about: str
    trained: str
    facts: list[Fact]
    formula: str
    slots: dict[str, str]
    papers: list[str]
    plates: dict[str, Plate]
    command: str
    measured: list[Fact]
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
    account = _account(run, run.recipe.name, _data_of(run, data))
    path = run.folder / "report.html" if path is None else Path(path)
    return _write(path, f"{account.name} on {run.data['name']}", [account])


def write_comparison_page(
    runs: Sequence[Run], path: Path, title: str, data: Data | None = None
) -> Path:
    """Writes one page with several runs side by side, figure by figure; returns where it is.

    `data` are those of all the runs, where they are at hand.

    Raises:
        RunError: no runs; else as `write_report`.
    """
    if not runs:
        raise RunError("There are no runs to set side by side", "Give at least one.")
    recipes = [run.recipe.name for run in runs]
    accounts = []
    for run in runs:
        # The data of the run before are most often this one's too.
        if data is None or data.fingerprint != run.data["fingerprint"]:
            data = _data_of(run, None)
        alone = recipes.count(run.recipe.name) == 1
        name = run.recipe.name if alone else f"{run.recipe.name} ({run.folder.name})"
        accounts.append(_account(run, name, data))
    return _write(Path(path), title, accounts)


def _data_of(run: Run, data: Data | None) -> Data:
    if data is None:
        return run.load_data()
    if data.fingerprint != run.data["fingerprint"]:
        raise DataError(
            f"These data, {data.name}, are not those that {run.folder} was trained on",
            f"Give its own: {run.data['name']}.",
        )
    return data


def _account(run: Run, name: str, data: Data) -> Account:
    model, metrics = run.load_model(), run.metrics() or {}
    view = look(model, data.test.x, data.test.y, data.classes, known(run.recipe, data.test))
    path = run.folder / "environment.json"
    environment: dict[str, Any] = read_json(path) if path.exists() else {}
    command = str(environment.pop("command", ""))
    return Account(
        name=name,
        about=run.recipe.about,
        trained=_trained(run),
        facts=headline(run, model, metrics),
        formula=formula(run.recipe),
        slots=slots(run.recipe),
        papers=papers(run.recipe),
        plates=plates(run, view, metrics),
        command=command,
        measured=measured(metrics),
        settings=settings_facts(run),
        data=data_facts(run),
        versions=[Fact(name, str(value)) for name, value in environment.items()],
    )


def _trained(run: Run) -> str:
    words = f"Codes of {numbers(run.sizes.latent)}"
    if "steps" in run.summary:
        words += f", trained for {count(run.summary['steps'])} steps on {run.data['name']}"
    return f"{words}."


def _shown(plate: Plate, file: str) -> Shown:
    pixels = plate.picture.pixels()
    width, height = (round(DPI * inches) for inches in plate.picture.get_size_inches())
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    source = f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
    data = None if plate.table is None else _download(plate.table, file)
    return Shown(plate.about, plate.see, plate.alt, source, width, height, data)


def _download(table: Table, file: str) -> Download:
    # Of numbers, points and commas this is shorter than base64.
    source = f"data:text/csv;charset=utf-8,{quote(table.csv(), safe=',')}"
    rows = f"{count(len(table))} row{'' if len(table) == 1 else 's'}"
    return Download(f"{file}.csv", source, f"Data (CSV, {rows})", table.note)


def _sections(accounts: Sequence[Account]) -> list[Section]:
    keys = {key: None for account in accounts for key in account.plates}
    sections = []
    for key in keys:
        named = [(account.name, account.plates.get(key)) for account in accounts]
        known = [plate for _, plate in named if plate]
        abouts = {plate.about for plate in known}
        about = abouts.pop() if len(abouts) == 1 else ""
        figures = [
            (name, _shown(plate, f"{_plain(name)}-{key}") if plate else None)
            for name, plate in named
        ]
        sections.append(Section(key, known[0].title, about, figures))
    return sections


def _plain(name: str) -> str:
    """A name as every file system takes it.

    >>> _plain("vae (run 2)")
    'vae-run-2'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def _write(path: Path, title: str, accounts: Sequence[Account]) -> Path:
    environment = Environment(
        loader=PackageLoader("autoencode.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
        title=title,
        accounts=accounts,
        compared=compare([account.facts for account in accounts]),
        sections=_sections(accounts),
    )
    write_text(path, page)
    return path

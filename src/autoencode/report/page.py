"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from autoencode.data import Data
from autoencode.errors import RunError
from autoencode.models.describe import formula, papers, slots
from autoencode.models.run import Run
from autoencode.models.store import read_json, write_bytes
from autoencode.report.facts import (
    Fact,
    data_facts,
    headline,
    measured,
    settings_facts,
)
from autoencode.report.plates import Plate, plates
from autoencode.report.style import DPI
from autoencode.report.view import look
from autoencode.report.words import count, numbers

# Of a WebP; text and pixels' edges stay sharp.
QUALITY = 90


@dataclass(frozen=True)
class Shown:
    """A figure as the page holds it; width and height are those of the page, not of the picture."""

    caption: str
    alt: str
    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Account:
    """All that a page says of one run.

    figures: section -> figure.   rows: how the model is put together.
    """

    name: str
    about: str
    trained: str
    facts: list[Fact]
    formula: str
    slots: dict[str, str]
    papers: list[str]
    figures: dict[str, Shown]
    titles: dict[str, str]
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
        DataError: the data are no longer the same.    ResourceError: the disk is full.
    """
    account = _account(run, data or run.load_data())
    path = run.folder / "report.html" if path is None else Path(path)
    return _write(path, f"{account.name} on {run.data['name']}", [account])


def write_comparison_page(runs: Sequence[Run], path: Path, title: str) -> Path:
    """Writes one page with several runs side by side, figure by figure; returns where it is.

    Raises:
        RunError: no runs; else as `write_report`.
    """
    if not runs:
        raise RunError("There are no runs to set side by side", "Give at least one.")
    loaded: dict[str, Data] = {}
    accounts = []
    for run in runs:
        fingerprint = run.data["fingerprint"]
        if fingerprint not in loaded:
            loaded[fingerprint] = run.load_data()
        accounts.append(_account(run, loaded[fingerprint]))
    return _write(Path(path), title, accounts)


def _account(run: Run, data: Data) -> Account:
    model, metrics = run.load_model(), run.metrics() or {}
    view = look(model, data.test.x, data.test.y, data.classes)
    found = plates(run, view, metrics)
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
        figures={name: _shown(plate) for name, plate in found.items()},
        titles={name: plate.title for name, plate in found.items()},
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


def _shown(plate: Plate) -> Shown:
    pixels = plate.picture.pixels()
    width, height = (round(DPI * inches) for inches in plate.picture.get_size_inches())
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY)
    source = f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
    return Shown(plate.caption, plate.alt, source, width, height)


def _write(path: Path, title: str, accounts: Sequence[Account]) -> Path:
    titles: dict[str, str] = {}
    for account in accounts:
        titles |= account.titles
    # As many columns of figures as there are runs, so rows of one figure can be compared.
    environment = Environment(
        loader=PackageLoader("autoencode.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
        title=title, accounts=accounts, titles=titles
    )
    write_bytes(path, page.encode())
    return path

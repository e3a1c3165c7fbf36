"""What every page is made of: pictures and numbers that lie within it, and its frame."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from autoencode.io.store import write_text
from autoencode.report.formatting import count
from autoencode.report.plates import Plate
from autoencode.report.style import DPI
from autoencode.report.tables import Table

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


def shown(plate: Plate, file: str) -> Shown:
    """A figure for a page; `file` is what its numbers are called there, without an ending."""
    pixels = plate.picture.pixels()
    width, height = (round(DPI * inches) for inches in plate.picture.get_size_inches())
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    source = f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
    data = None if plate.table is None else download(plate.table, file)
    return Shown(plate.about, plate.see, plate.alt, source, width, height, data)


def download(table: Table, file: str) -> Download:
    """A table for a page, as the file `file`.csv."""
    # Of numbers, points and commas this is shorter than base64.
    source = f"data:text/csv;charset=utf-8,{quote(table.csv(), safe=',')}"
    rows = f"{count(len(table))} row{'' if len(table) == 1 else 's'}"
    return Download(f"{file}.csv", source, f"Data (CSV, {rows})", table.note)


def plain(name: str) -> str:
    """A name as every file system takes it.

    >>> plain("vae (run 2)")
    'vae-run-2'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def write_page(path: Path, template: str, **held: Any) -> Path:
    """Writes one of the templates with what it holds; returns where it is.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    environment = Environment(
        loader=PackageLoader("autoencode.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    write_text(path, environment.get_template(template).render(**held))
    return path

"""The frame of every page, and the figures and tables embedded in it."""

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
from autoencode.report.figures.base import Figure
from autoencode.report.formatting import count
from autoencode.report.style import DPI
from autoencode.report.tables import Table

# WebP: sharp text and pixel edges; a slower method would save a twentieth of the bytes.
QUALITY, METHOD = 90, 2


@dataclass(frozen=True)
class Download:
    """A table as a CSV file inside the page.

    file: its name.   source: its content as a data URI.   words, note: the link, and text after it.
    """

    file: str
    source: str
    words: str
    note: str


@dataclass(frozen=True)
class EmbeddedFigure:
    """A figure inside the page; width and height in CSS pixels.

    title, caption, findings, alt: see `Figure`.   source: the picture as a data URI.
    data: the numbers of the figure, if it has any.
    """

    key: str
    title: str
    caption: str
    findings: str
    alt: str
    source: str
    width: int
    height: int
    data: Download | None


def embed(figure: Figure, key: str = "", prefix: str = "") -> EmbeddedFigure:
    """A figure for a page; its CSV file is named after the prefix and the key."""
    key = file_name(key or figure.key)
    picture, table = figure.draw(), figure.table()
    width, height = (round(DPI * inches) for inches in picture.get_size_inches())
    buffer = BytesIO()
    Image.fromarray(picture.pixels()).save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    return EmbeddedFigure(
        key,
        figure.title,
        figure.caption(),
        figure.findings(),
        figure.alt(),
        f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}",
        width,
        height,
        None if table is None else download(table, file_name(f"{prefix}-{key}")),
    )


def download(table: Table, name: str) -> Download:
    """A table for a page, as the file `name`.csv."""
    # For digits, points and commas this is shorter than base64.
    source = f"data:text/csv;charset=utf-8,{quote(table.csv(), safe=',')}"
    rows = f"{count(len(table))} row{'' if len(table) == 1 else 's'}"
    return Download(f"{name}.csv", source, f"Data (CSV, {rows})", table.note)


def file_name(name: str) -> str:
    """A name with characters that every file system accepts.

    >>> file_name("vae (run 2)")
    'vae-run-2'
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Fill a template of HTML or Markdown with values and write it; returns the path.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    write_text(path, render(template, **values))
    return path


def render(template: str, **values: Any) -> str:
    """A template of HTML or Markdown filled with values."""
    environment = Environment(
        loader=PackageLoader("autoencode.report"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "plain": _plain}
    return environment.get_template(template).render(**values)


def _cell(text: str) -> str:
    """A cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _plain(text: str) -> str:
    """Text as one line of Markdown without formatting.

    >>> print(_plain("a <b> * c_d _e_"))
    a \\<b> \\* c_d \\_e\\_
    """
    return re.sub(r"[\\`*<]|(?<!\w)_|_(?!\w)", r"\\\g<0>", " ".join(text.split()))

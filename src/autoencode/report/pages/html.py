"""Templates filled with values, and what they need to embed figures and tables."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from autoencode.io.store import write_text
from autoencode.report.architecture import shape_text
from autoencode.report.formatting import count, duration
from autoencode.report.pages import markdown
from autoencode.report.style import DPI, Picture

# WebP: sharp text and pixel edges; a slower method would save a twentieth of the bytes.
QUALITY, METHOD = 90, 2


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
    environment.globals["dpi"] = DPI
    environment.filters |= {
        "block": markdown.block,
        "breakable": _breakable,
        "cell": markdown.cell,
        "code": markdown.code,
        "code_cell": markdown.code_cell,
        "duration": duration,
        "file_name": file_name,
        "plain": markdown.plain,
        # For digits, points and commas this is shorter than base64.
        "quoted": partial(quote, safe=",", errors="backslashreplace"),
        "shape": shape_text,
        "thousands": count,
        "webp": _webp,
    }
    return environment.get_template(template).render(**values)


def _breakable(name: str) -> Markup:
    """A dotted name with places for line breaks after its dots."""
    return Markup(".<wbr>").join(name.split("."))


def _webp(picture: Picture) -> str:
    """A picture as a data URI."""
    buffer = BytesIO()
    Image.fromarray(picture.pixels()).save(buffer, "WEBP", quality=QUALITY, method=METHOD)
    return f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"

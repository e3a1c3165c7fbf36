"""The explorer as one file: the page, its program and everything it shows."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from autoencode.data import Data
from autoencode.explorer.container import as_text
from autoencode.explorer.page_payload import POINTS, scene
from autoencode.io.store import write_text
from autoencode.models.run import Run

PROGRAM, LOOKS = "explorer.js", "looks.css"


def write_explorer(
    runs: Sequence[Run], out: Path, points: int = POINTS, data: Data | None = None
) -> Path:
    """Writes the page of some runs, which needs nothing but a browser; gives its path.

    points, data: as of `scene`.

    Raises:
        RunError, AutoencodeError: as `scene`.
    """
    write_text(out, html(scene(runs, points, data), title_of(runs)))
    return out


def title_of(runs: Sequence[Run]) -> str:
    """What the page is called: its models and their data."""
    names = " and ".join(run.folder.name for run in runs)
    return f"{names} · {runs[0].data['name']}"


def html(content: bytes, title: str, live: bool = False) -> str:
    """A page that holds its content, and may run no program but its own and ask for nothing.

    live: the page may ask the server that it came from.
    """
    program, looks = asset(PROGRAM), asset(LOOKS)
    own = "'self'" if live else "'none'"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_digest(program)}",
            f"style-src {_digest(looks)}",
            "img-src data: blob:",
            f"connect-src {own}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            '<meta name="generator" content="autoencode">',
            f"<title>{escape(title)}</title>",
            '<link rel="icon" href="data:,">',
            f"<style>{looks}</style>",
            "</head>",
            "<body>",
            '<div id="app"><p class="wait">Unpacking…</p></div>',
            "<noscript>This page decodes with JavaScript, which is switched off here.</noscript>",
            # No script: a kind that no browser runs, and the policy need not allow.
            '<script type="application/octet-stream" id="content">',
            as_text(content),
            "</script>",
            f"<script>{program}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def asset(name: str) -> str:
    """A built file of the page, as the package carries it."""
    return files("autoencode.explorer").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """How a policy names a script or a style by what it says."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

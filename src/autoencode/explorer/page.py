"""Writes an explorer page: one HTML file that contains its program, its styles and its content."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from autoencode.data import Data
from autoencode.explorer.container import as_text
from autoencode.explorer.page_payload import DEFAULT_POINTS, page_payload
from autoencode.io.folders import sweep_beside
from autoencode.io.store import write_text
from autoencode.models.run import Run

PROGRAM, STYLES = "explorer.js", "styles.css"
# A browser does not run a script that is cut off, so this one is before everything that is long.
_GUARD = """addEventListener("DOMContentLoaded", () => {
  if ("started" in document.documentElement.dataset) return;
  const said = document.createElement("p");
  said.className = "failed";
  said.setAttribute("role", "alert");
  said.textContent = "This page is damaged or incomplete, or this browser is too old for it. \
Get the file again, or make it again: autoencode explore RUN --html out.html";
  document.body.replaceChildren(said);
});"""


def write_explorer(
    runs: Sequence[Run], out: Path, points: int = DEFAULT_POINTS, data: Data | None = None
) -> Path:
    """Write the page of one or more runs, which needs only a browser; return its path.

    points, data: as in `page_payload`.

    Raises:
        RunError, AutoencodeError: as `page_payload`.
    """
    sweep_beside(out)
    write_text(out, html(page_payload(runs, points, data), title_of(runs)))
    return out


def title_of(runs: Sequence[Run]) -> str:
    """The title of a page: its models and their data."""
    names = " and ".join(run.name for run in runs)
    title = f"{names} · {runs[0].data['name']}"
    # Bytes of a file name that are not UTF-8 cannot be shown.
    return title.encode(errors="backslashreplace").decode()


def html(content: bytes, title: str, live: bool = False) -> str:
    """Return a page. It may run only its own program, and request nothing.

    live: the page may send requests to the server that it came from.
    """
    program, styles = asset(PROGRAM), asset(STYLES)
    connect = "'self'" if live else "'none'"
    policy = (
        f"default-src 'none'; script-src {_digest(_GUARD)} {_digest(program)}; "
        f"style-src {_digest(styles)}; img-src data: blob:; connect-src {connect}; "
        "base-uri 'none'; form-action 'none'"
    )
    # The content is a script of a type that no browser runs, so the policy need not allow it.
    return f"""<!doctype html>
<html lang="en"{" data-live" if live else ""}>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<script>{_GUARD}</script>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="autoencode">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>{styles}</style>
</head>
<body>
<div id="app"><p class="loading">Loading…</p></div>
<noscript>This page needs JavaScript to decode codes, and JavaScript is disabled.</noscript>
<script type="application/octet-stream" id="content">
{as_text(content)}
</script>
<script>{program}</script>
</body>
</html>
"""


def asset(name: str) -> str:
    """Read a built file of the page from the package."""
    return files("autoencode.explorer").joinpath("assets", name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """The source expression that allows one script or style in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

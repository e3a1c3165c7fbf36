"""Pages that may be absent: executed notebooks, with a button for Colab, and patterns of pages."""

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).parents[2]
MADE = ROOT / "notebooks" / "build"  # exercise/NAME.ipynb and solution/NAME.ipynb
COPIES = ROOT / "docs" / "notebooks"


def copy_notebooks(app: Sphinx, config: Config) -> None:
    """Makes docs/notebooks/ a copy of the notebooks that were made, if any."""
    made = {path.relative_to(MADE): path for path in sorted(MADE.glob("*/*.ipynb"))}
    for old in COPIES.glob("*/*.ipynb"):
        if old.relative_to(COPIES) not in made:
            old.unlink()
    for name, path in made.items():
        copy = COPIES / name
        if not copy.exists() or copy.read_bytes() != path.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def drop_absent(app: Sphinx, page: str, source: list[str]) -> None:
    """Leaves patterns such as "notebooks/*" out of a list of pages where no page matches them."""
    folder = (app.srcdir / page).parent

    def kept(match: re.Match[str]) -> str:
        found = [path for path in folder.glob(match[1]) if path.suffix in (".md", ".ipynb")]
        return match[0] if found else ""

    source[0] = re.sub(r"^(\S*\*)\n", kept, source[0], flags=re.MULTILINE)


def colab_address(folder: str, page: str) -> str:
    """The address at which Colab opens the notebook of a page.

    folder: that of the notebooks on GitHub.

    >>> colab_address("https://github.com/me/ae/blob/main/course/", "notebooks/solution/01_vae")
    'https://colab.research.google.com/github/me/ae/blob/main/course/solution/01_vae.ipynb'
    """
    path = folder.removeprefix("https://github.com/").strip("/")
    name = page.removeprefix("notebooks/")
    return f"https://colab.research.google.com/github/{path}/{name}.ipynb"


def add_button(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Puts the button above the text of a notebook, if it is known where the notebooks are."""
    folder = app.config.repository_url
    if folder and page.startswith("notebooks/"):
        button = f'<p><a class="colab" href="{colab_address(folder, page)}">Open in Colab</a></p>\n'
        context["body"] = button + context["body"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value("repository_url", "", "html")
    app.connect("config-inited", copy_notebooks)
    app.connect("source-read", drop_absent)
    app.connect("html-page-context", add_button)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The site: its pages, its reference, the README as a front page, and what is built."""

import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import autoencode as ae

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).with_suffix("") for path in DOCS.rglob("*.md"))
DIRECTIVE = re.compile(r"^\.\. (?:auto|py:)(\w+):: (autoencode\.[\w.]+)$", re.MULTILINE)


def text_of(page: Path) -> str:
    return (DOCS / page).with_suffix(".md").read_text(encoding="utf-8")


def listed(page: Path) -> set[Path]:
    """The pages in the toctrees of a page."""
    found = set()
    for body in re.findall(r"```\{toctree\}\n(.*?)```", text_of(page), re.DOTALL):
        for line in body.splitlines():
            if line and not line.startswith(":"):
                found |= {
                    p.relative_to(DOCS).with_suffix("")
                    for p in (DOCS / page.parent).glob(line + ".md")
                }
    return found


def documented() -> dict[str, str]:
    """Dotted name -> kind of its directive, in the reference."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((DOCS / "api").glob("*.md"))]
    return {name: kind for text in texts for kind, name in DIRECTIVE.findall(text)}


def resolved(name):
    """The object of a dotted name, such as "autoencode.models.run.Run"."""
    parts = name.split(".")
    thing = ae
    for i, part in enumerate(parts[1:], 2):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            thing = importlib.import_module(".".join(parts[:i]))
    return thing


def test_every_page_is_reached_from_the_first():
    reached, to_visit = set(), {Path("index")}
    while to_visit:
        page = to_visit.pop()
        reached.add(page)
        to_visit |= listed(page) - reached
    assert {str(page) for page in PAGES} == {str(page) for page in reached}


def test_lists_name_pages_that_exist_or_may_be_absent():
    for page in PAGES:
        for body in re.findall(r"```\{toctree\}\n(.*?)```", text_of(page), re.DOTALL):
            for line in body.splitlines():
                if line and not line.startswith(":") and "*" not in line:
                    assert (DOCS / page.parent / f"{line}.md").exists(), (page, line)


def test_the_reference_has_every_public_name():
    names = documented()
    assert {f"autoencode.{name}" for name in ae.__all__} <= set(names)
    for name, kind in names.items():
        thing = resolved(name)
        expected = {
            "function": inspect.isfunction,
            "class": inspect.isclass,
            "exception": inspect.isclass,
            "data": lambda thing: isinstance(thing, dict),
        }
        if kind != "module":
            assert expected[kind](thing), (kind, name)


def test_the_reference_has_the_classes_that_public_functions_return():
    names = {resolved(name) for name, kind in documented().items() if kind == "class"}
    from autoencode.evaluation.records import Evaluation
    from autoencode.models.run import Run
    from autoencode.scale.jobs import Outcome
    from autoencode.use.export import ExportedFile
    from autoencode.use.hub import Pulled

    assert {Evaluation, Run, Outcome, ExportedFile, Pulled} <= names
    for name in ae.__all__:
        function = getattr(ae, name)
        if inspect.isfunction(function):
            annotation = str(inspect.signature(function).return_annotation)
            for word in re.findall(r"\b[A-Z]\w+", annotation):
                ours = getattr(inspect.getmodule(function), word, None)
                if inspect.isclass(ours) and ours.__module__.startswith("autoencode."):
                    assert ours in names, (name, word)


@pytest.mark.parametrize("name", ae.__all__)
def test_every_public_name_has_an_example(name):
    thing = getattr(ae, name)
    if name == "RECIPES":
        thing = importlib.import_module("autoencode.models.recipes.table")
    examples = [
        line for line in (thing.__doc__ or "").splitlines() if ">>>" in line or "..." in line
    ]
    assert any(re.search(rf"\b{name}\b", line) for line in examples)


def test_the_readme_is_a_front_page():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150
    assert readme.count("![") == 1
    order = ["pip install", "\nmake demo", "\nmake test", "```python", "autoencode train"]
    assert sorted(order, key=readme.index) == order


def extension(name):
    pytest.importorskip("sphinx", reason="`make site` installs Sphinx")
    spec = importlib.util.spec_from_file_location(name, DOCS / "extensions" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LINKS = {"fit": "autoencode.fit", "DataError": "autoencode.errors.DataError"}


@pytest.mark.parametrize(
    ("text", "rst"),
    [
        ("Codes [*S, B] of p(x|z).", "Codes [\\*S, B] of p(x\\|z)."),
        (
            "See `fit` or `fit()`.",
            "See :py:obj:`fit <autoencode.fit>` or :py:obj:`fit() <autoencode.fit>`.",
        ),
        ("The attributes_ `a_` and a_b.", "The attributes\\_ ``a_`` and a_b."),
        ("`Split`s of\n`a long\nname`", "``Split``\\ s of\n``a long name``"),
        ("x: an array.", ".. rubric:: Fields\n\n``x``\n    an array."),
        ("x, y: two\n    arrays.", ".. rubric:: Fields\n\n``x``, ``y``\n    two\n    arrays."),
        ("x: one.   y: two.", ".. rubric:: Fields\n\n``x``\n    one.\n``y``\n    two."),
        ("x: one.   note: no field.", ".. rubric:: Fields\n\n``x``\n    one.  note: no field."),
        ("note: not a field.", "note: not a field."),
        ("*x: several.", ".. rubric:: Fields\n\n``*x``\n    several."),
        (
            "x:\n    a, b: two.\n    c: one.",
            ".. rubric:: Fields\n\n``x``\n    ``a``, ``b``\n        two.\n    ``c``\n        one.",
        ),
        (
            "Raises:\n    DataError: wrong.   OSError: full.",
            ".. rubric:: Raises\n\n:py:obj:`DataError <autoencode.errors.DataError>`\n    wrong.\n"
            "``OSError``\n    full.",
        ),
        ("Code:\n\n    a * b\n\nText.", "Code:\n\n::\n\n    a * b\n\nText."),
        (">>> 2 * 3\n6", ">>> 2 * 3\n6"),
        (
            "x: one.\n\nText.\n\ny: two.",
            ".. rubric:: Fields\n\n``x``\n    one.\n\nText.\n\n``y``\n    two.",
        ),
    ],
)
def test_docstrings_become_markup(text, rst):
    made = extension("docstrings").to_rst(text, {"x", "y"}, LINKS, "Fields")
    assert made.strip() == rst


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in documented().items() if kind != "data")
)
def test_every_docstring_of_the_reference_is_valid_markup(name):
    docstrings = extension("docstrings")
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.parsers.rst import roles

    roles.register_generic_role("py:obj", nodes.literal)
    thing = resolved(name)
    names, title = docstrings.names_of(thing)
    rst = docstrings.to_rst(thing.__doc__ or "", names, LINKS, title)
    settings = {"report_level": 2, "halt_level": 2, "warning_stream": False}
    assert publish_doctree(rst, settings_overrides=settings).astext()


def test_every_parameter_is_described():
    docstrings = extension("docstrings")
    found = {}
    for name in ae.__all__:
        thing = getattr(ae, name)
        if inspect.isfunction(thing):
            names, title = docstrings.names_of(thing)
            rst = docstrings.to_rst(thing.__doc__, names, {}, title)
            found[name] = names - set(re.findall(r"``\*{0,2}(\w+)``", rst))
    assert not {name: left for name, left in found.items() if left}


def test_the_button_for_colab_needs_a_repository():
    notebooks = extension("notebooks")

    class Site:
        class config:
            repository_url = ""

    context = {"body": "<p>text</p>"}
    notebooks.add_button(Site, "notebooks/solution/first", "page.html", context, None)
    assert context["body"] == "<p>text</p>"
    Site.config.repository_url = "https://github.com/me/ae/blob/main/course"
    notebooks.add_button(Site, "use", "page.html", context, None)
    assert context["body"] == "<p>text</p>"
    notebooks.add_button(Site, "notebooks/solution/first", "page.html", context, None)
    address = "colab.research.google.com/github/me/ae/blob/main/course/solution/first.ipynb"
    assert address in context["body"]
    assert re.search(r'^repository_url = ""$', (DOCS / "conf.py").read_text(), re.MULTILINE)


class Page(HTMLParser):
    """The addresses and the anchors of a built page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        elif tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.loaded.append(given["src"])
        elif tag == "link" and given.get("rel") != "canonical":
            self.loaded.append(given["href"])


def build(source, out, *options):
    """Builds pages with the settings of the site; its warnings are errors."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    command += ["-c", str(DOCS), *options, str(source), str(out)]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


@pytest.mark.long
def test_notebooks_and_formulas_are_shown_without_a_network(tmp_path):
    pytest.importorskip("sphinx", reason="`make site` installs Sphinx")
    output = {"output_type": "stream", "name": "stdout", "text": "loss 31.2"}
    notebook = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
        "cells": [
            {
                "cell_type": "markdown",
                "id": "a",
                "metadata": {},
                "source": "# A VAE\n\n$\\sigma^2 - \\tfrac12$",
            },
            {
                "cell_type": "code",
                "id": "b",
                "metadata": {},
                "execution_count": 1,
                "source": "print(loss)",
                "outputs": [output],
            },
        ],
    }
    source = tmp_path / "pages"
    (source / "notebooks" / "solution").mkdir(parents=True)
    path = source / "notebooks" / "solution" / "first.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    listing = (
        "# Pages\n\n$$\n\\frac{1}{2}\n$$\n\n```{toctree}\n:glob:\n\nnotebooks/*/*\nabsent*\n```\n"
    )
    (source / "index.md").write_text(listing, encoding="utf-8")
    repository = "repository_url=https://github.com/me/ae/blob/main/course"
    build(source, tmp_path / "site", "-D", repository, "-D", "html_static_path=")
    first = (tmp_path / "site" / "notebooks" / "solution" / "first.html").read_text("utf-8")
    assert "<msup>" in first
    assert "<mfrac" in first
    assert "loss 31.2" in first
    assert "me/ae/blob/main/course/solution/first.ipynb" in first
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "<mfrac>" in index
    assert "colab.research" not in index
    for text in (first, index):
        assert not [address for address in Page(text).loaded if urlsplit(address).netloc]


@pytest.mark.long
def test_the_site_is_built_without_warnings_and_needs_no_network(tmp_path):
    pytest.importorskip("sphinx", reason="`make site` installs Sphinx")
    # The documents that `make site` has read are not read again.
    doctrees = ROOT / "build" / "site-doctrees"
    built = tmp_path / "site"
    build(DOCS, built, "-d", str(doctrees if doctrees.exists() else tmp_path / "doctrees"))
    assert (built / "searchindex.js").exists()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(built.rglob("*.html"))}
    assert len(pages) > len(PAGES)
    for path, page in pages.items():
        assert not [src for src in page.loaded if urlsplit(src).netloc], path.name
        for address in page.loaded + page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), (path.name, address)
            if parts.fragment and target in pages and address != "#":
                assert unquote(parts.fragment) in pages[target].anchors, (path.name, address)
    everything = "".join(path.read_text(encoding="utf-8") for path in built.rglob("*.html"))
    assert "colab.research" not in everything
    for name in ae.__all__:
        assert f'id="autoencode.{name}"' in everything, name

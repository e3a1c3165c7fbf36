"""Texts of users that are markup or formulas: they are shown in full, and nothing else changes.

A page has the same elements for any names, which is checked with the HTML parser of Python and, for
Markdown, with markdown-it.
"""

import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markupsafe import Markup

from autoencode.contract import Sizes
from autoencode.data import load_data
from autoencode.explorer.page import html as explorer_page
from autoencode.explorer.page import title_of
from autoencode.io.csv_cells import csv_cell, original_cell
from autoencode.io.store import write_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import Run
from autoencode.report import write_card
from autoencode.report.architecture import Architecture, Layer, Stage
from autoencode.report.charts import bars
from autoencode.report.diagram import diagram
from autoencode.report.figures.base import ChartFigure
from autoencode.report.labels import wrapped
from autoencode.report.pages.compared import Cell, Line
from autoencode.report.pages.details import Detail, metric_groups, metrics_table, model_details
from autoencode.report.pages.html import render
from autoencode.report.pages.study import StudyPage, study_markdown
from autoencode.report.style import names, new_figure
from autoencode.report.tables import Table

TEXTS = (
    *(
        "<script>alert(1)</script>",
        "</script><script>alert(1)//",
        "</title><img src=x onerror=a()>",
    ),
    *('" onmouseover="alert(1)', "' onfocus='a()", "<!-- ", "]]>", "<a href=javascript:a()>b</a>"),
    *("&lt;b&gt; &#60;b&#62; &amp;", "{{ 7*7 }}{% for %}", "${7*7} $\\frac{1}{0}$", "</style>"),
    *("[a](javascript:alert(1))", "![a](//evil.example/x.png)", "[a]: //evil.example", "<//e.x>"),
    *(
        "` <b>",
        "``` \n<b>",
        "a `b` ``c``",
        "\\` <b> \\",
        "a\\|b <i>x</i> | c",
        "| - | - |",
        "***",
        "_a_ *b*",
        "__dict__",
        "a__b__ __c",
        "a_b_c",
        "_é_ ___",
    ),
    *("# a", "- a", "+ a", "* a", "> a", "1. a", "---", "===", "~~~ a", "~~a~~", "    a", "# # #"),
    *("a\n\n<script>b</script>", "a\r\n# b", "a\n    b\n\nc", "a\u2028<b>", "a\x0b<b>\x00\x1b[2J"),
    *("=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1-1", "-1+1", "\t=1", "\r=1", "'=1", "＝1", "-x"),
    *('a","b', 'a"b', "a;=1", "é漢字🙂", "\u202egnp.exe", "e\u0301" * 40, "x" * 3000, "a\udcffb"),
)
MARKS = "<>&\"'`|\\[]()*_~#=+-@!$\n\r\t a1"
PLAIN = "plain"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
hostile = st.one_of(
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(TEXTS), min_size=2, max_size=4).map("".join),
    st.lists(st.sampled_from((*"<>&\"'`|\\[]()*_~#=+-@!$\n\r\t a1", "\ud800")), min_size=1).map(
        "".join
    ),
    st.text(min_size=1, max_size=60),
).filter(str.strip)


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.values, self.loads = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        # The page of a study has a span for each word of a command.
        if self.elements[-2:] != [(tag, *(name for name, _ in attrs)), f"/{tag}"] or tag != "span":
            self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]
        self.loads += [value for name, value in attrs if name in ("src", "href", "action")]

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if tag != "span" or self.elements[-1] != "/span":
            self.elements.append(f"/{tag}")

    def handle_comment(self, data):
        self.elements.append("comment")

    handle_decl = unknown_decl = handle_pi = handle_comment

    def handle_data(self, data):
        self.words.append(data)

    def says(self, text):
        """Whether the text is shown; in files, what UTF-8 cannot hold is an escape."""
        escaped, shown = text.encode(errors="backslashreplace").decode(), "".join(self.words)
        return any(one_line(each) in one_line(shown) for each in (text, escaped))


def one_line(text):
    # HTML and Markdown do not have these characters; they show another one.
    return " ".join(re.sub("[\0\ud800-\udfff\ufffd]", "", text).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    data = {"name": PLAIN, "source": PLAIN, "classes": [PLAIN], "options": {"size": PLAIN}}
    recipe = RECIPES["vae"].but(name=PLAIN, about=PLAIN, papers=(PLAIN,))
    sizes = Sizes((8, 8), (2,), n=100)
    return Run(folder, recipe, sizes, "done", {**data, "fingerprint": "f"}, {"lr": 1}, {})


def named(run, text):
    """The run with the text wherever users put theirs."""
    data = {"name": text, "source": text, "classes": [text], "options": {"size": text}}
    names = ["squared_error", "squared_error_per_pixel", f"terms.{text}"]
    write_json(run.folder / "environment.json", {"command": text, "torch": text, text: text})
    write_json(
        run.folder / "metrics.json",
        {
            "data": text,
            "squared_error": 1.0,
            "squared_error_per_pixel": 0.1,
            "n_test": 10,
            "terms": {text: 2.0},
            "units": dict.fromkeys(names, text),
            "notes": dict.fromkeys(names, text),
            "intervals": {},
        },
    )
    return replace(
        run,
        recipe=replace(run.recipe, name=text, about=text, papers=(text,)),
        data={**run.data, **data},
        settings={"lr": text},
    )


def study(text):
    # A name that is drawn must not be that of another column.
    others = ("model", "number") if text not in ("model", "number") else ("name", "value")
    columns = {others[0]: [text, "b"], text: [text, text], others[1]: [1.0, np.nan]}
    table = Table(columns, note=text)
    figure = ChartFigure(text, new_figure(0.2, 0.2), text, text, text, table)
    return StudyPage(
        title=text,
        question=text,
        lead=text,
        findings=[(text, "supported", text), (text, "undecided: " + text, text)],
        tables={"All": table},
        figures={"size": figure},
        models=[(text, text, 95.0)],
        command=text,
        data=[Detail(text, text, text)],
        versions=[Detail(text, text)],
    )


def html_pages(run, text):
    """The pages with the text in all places; the figures of a report have their own test."""
    run = named(run, text)
    model, metrics = model_details(text, run, [run]), run.metrics()
    page = study(text)
    single = {"title": text, "lead": text, "headlines": [Detail(text, text, text)], "pca": text}
    lines = [Line(text, text, text, [Cell(text, text, True)])]
    several = {"groups": [(text, lines)], "rule": text, "sections": [("", page.figures)]}
    several |= {"shown_runs": text, "command": text, "methods": [Detail(text, text, text)]}
    stages = [Stage((4,), role="input"), Stage((2,), [text], "code")]
    # Names of layers are those of attributes in Python; a class may have any name.
    layers = Architecture([Layer("a.b", text, (2,), 10)], stages, text)
    return {
        "report": render(
            "page.html",
            **single,
            figures=[],
            metric_groups=metric_groups(metrics),
            metrics_table=metrics_table(metrics),
            model=model,
            architecture=layers,
            diagram=Markup(diagram(layers, text)),
        ),
        "study": render("study.html", title=text, page=page),
        "compare": render("compare.html", **single, **several, models=[(model, text)]),
    }


def check_html(run, text, expected):
    for name, page in html_pages(run, text).items():
        found = Skeleton(page)
        assert found.elements == expected[name], name
        assert found.says(text), name
        for value in found.loads:
            assert value.startswith("data:")
            if value.startswith("data:text/csv"):
                check_csv(unquote(value.partition(",")[2]))


def check_csv(content):
    """No cell is a formula, by the rule of the page "CSV Injection" of OWASP."""
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        try:
            float(cell)
        except ValueError:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def markdown_pages(run, text):
    run = named(run, text)
    return {
        "card": write_card(run).read_text(encoding="utf-8"),
        "study": study_markdown(study(text), {"size": "figures/size.png"}),
    }


def check_markdown(run, text, expected):
    for name, page in markdown_pages(run, text).items():
        found = Skeleton(MARKDOWN.render(page))
        assert found.elements == expected[name], page
        assert found.says(text), page
        assert found.loads == ["figures/size.png"] * (name == "study")


@pytest.fixture(scope="module")
def skeletons(run):
    pages = html_pages(run, PLAIN)
    return {name: Skeleton(page).elements for name, page in pages.items()}


@pytest.fixture(scope="module")
def outlines(run):
    pages = markdown_pages(run, PLAIN)
    return {name: Skeleton(MARKDOWN.render(page)).elements for name, page in pages.items()}


@pytest.mark.long
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_pages_show_names_as_they_are(run, skeletons, text):
    check_html(run, text, skeletons)


@pytest.mark.long
def test_pages_with_names_drawn(fuzz, run, skeletons):
    fuzz(hostile, lambda text: check_html(run, text, skeletons))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_markdown_shows_names_as_they_are(run, outlines, text):
    check_markdown(run, text, outlines)


@pytest.mark.long
def test_markdown_with_names_drawn(fuzz, run, outlines):
    fuzz(hostile, lambda text: check_markdown(run, text, outlines))


def check_page(text):
    """The explorer's page: nothing of a name is in its program or its policy."""
    run = Named(text)
    found, expected = (Skeleton(explorer_page(b"", title_of([run]))) for run in (run, Named(PLAIN)))
    assert found.elements == expected.elements
    assert found.values == expected.values
    assert found.says(text)


class Named:
    """What the title of a page needs of a run."""

    def __init__(self, text):
        self.folder, self.data = self, {"name": text}
        self.name = text


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_titles_of_the_explorer(text):
    check_page(text)


@pytest.mark.long
def test_titles_of_the_explorer_drawn(fuzz):
    fuzz(hostile, check_page)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:40])
def test_cells_are_read_back(text):
    assert original_cell(csv_cell(text)) == "\n".join(re.split("\r\n|\r|\n", text))
    table = Table({text: [text, "a"], "number": [-1.5, 2]})
    check_csv(table.csv())
    header, first, _ = csv.reader(io.StringIO(table.csv(), newline=""))
    assert [original_cell(cell) for cell in header][:1] == [original_cell(csv_cell(text))]
    assert original_cell(first[0]) == original_cell(csv_cell(text))
    assert first[1] == "-1.5"


@pytest.mark.parametrize("number", ["-1.5", "+2", "1e-3", "-.5e10", -1.5, 3, float("-inf"), None])
def test_numbers_stay_numbers(number):
    assert csv_cell(number) is number or csv_cell(number) == number


@pytest.mark.parametrize("text", ["=1+1", "-x", "+a b", "@c", "'=d", "-1+1", "＝1", '=1,"a"'])
def test_a_table_is_read_back(tmp_path, text):
    path = tmp_path / "table.csv"
    content = Table({text: [text, "a", "b"] * 6, "x": list(np.arange(18) / 7)}).csv()
    path.write_text(content, encoding="utf-8", newline="")
    found = load_data(path)
    assert any("apostrophes in table.csv" in notice for notice in found.notices)
    column = found.preprocessing.columns[0]
    assert (column.name, sorted(column.categories)) == (text, sorted(("a", "b", text)))


@pytest.mark.parametrize("text", ["'a'", "it's", "''", "a '=1", "'"])
def test_other_apostrophes_stay(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(f"name,x\n{text},1.5\na,2.5\nb,3\n" + f"{text},1\na,2\nb,3\n" * 5)
    found = load_data(path)
    assert not any("apostrophes" in notice for notice in found.notices)
    assert text in found.preprocessing.columns[0].categories


NAMES = (TEXTS[0], "$\\frac{1}{0}$", "a\udcffb", "\0", "漢字🙂", "%s {} \\n", "", "x" * 300)


@pytest.mark.parametrize("text", NAMES, ids=lambda text: ascii(text)[:40])
def test_figures_draw_any_name(text):
    for labels in (names([text, f"{text} 2"]), [wrapped(text, 1.5), wrapped(f"{text} 2", 1.5)]):
        chart = bars(labels, [1.0, 2.0], labels[0])
        assert chart.pixels().std() > 0

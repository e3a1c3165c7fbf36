import csv
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest

from autoencode.report.charts import bars
from autoencode.report.figures.base import ChartFigure
from autoencode.report.pages.details import Detail
from autoencode.report.pages.study import StudyPage, study_markdown, write_study_page
from autoencode.report.tables import Table

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Checks that tags close in order, and gathers what the page holds."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.tags, self.loads, self.links = [], [], [], [], []
        self.findings, self.tables, self.words, self.images = [], [], [], []
        self.text = text
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.loads += [v for k, v in attrs if k in ("src", "href", "srcset", "action", "data")]
        if tag == "section":
            self.sections.append(given["id"])
        elif tag == "li":
            self.findings.append({"class": given["class"], "icons": 0, "words": ""})
        elif tag == "svg":
            self.findings[-1]["icons"] += 1
        elif tag == "img":
            self.images.append(given)
        elif tag == "a":
            self.links.append(given)
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append(["", given.get("class", "")])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "li" in self.open:
            self.findings[-1]["words"] += data
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1][0] += data
        if "style" not in self.open:
            self.words.append(data)

    def said(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def study():
    table = Table(
        {
            "model": ["d = 2", "d | 16", EVIL],
            "latent dimensions": [2, 16, 16_000],
            "squared error, summed": np.array([36.2345, 8.4321, np.nan]),
        },
        note="the seeds",
    )
    chart = bars(["d = 2", "d = 16"], [36.2, 8.4], "squared error")
    words = "Bars of errors.", "The second is lower.", "Two bars."
    figure = ChartFigure("The error falls", chart, *words, table)
    return StudyPage(
        title="How many latent dimensions?",
        question="From which size on does more gain little?",
        lead="Two trainings of p(x|z) on digits.",
        findings=[
            ("The error falls.", "supported", "Squared error: 8.4 against 36.2."),
            (f"{EVIL} is a model.", "undecided: one seed", "A difference of 1."),
            ("Seeds agree.", "not supported", "They differ by 6.2 %."),
        ],
        tables={"All figures": table, "More": Table({"x": [1]})},
        figures={"size": figure, "again": replace(figure, title="Once more", data=None)},
        models=[("d = 2", "autoencode train ae --latent 2 --set a|b", 95), ("d = 16", "ae", 31)],
        command="autoencode study size --data digits",
        data=[Detail("name", "digits")],
        versions=[Detail("torch", "2.10", "on two cores")],
    )


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "report.html"
    assert write_study_page(study, path) == path
    return Page(path.read_text(encoding="utf-8"))


def test_is_one_file_that_asks_nothing_of_the_network(page):
    assert "http" not in page.text.replace("http-equiv", "")
    assert "url(" not in page.text
    assert "script" not in page.tags
    assert all(load.startswith("data:") for load in page.loads)
    assert EVIL in page.said()
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert '<meta name="viewport" content="width=device-width' in page.text


def test_question_and_findings_come_first(page, study):
    assert page.sections == [
        "findings",
        "size",
        "again",
        "All-figures-table",
        "More-table",
        "trained",
        "reproduction",
    ]
    score = "Hypotheses: 1 supported, 1 not supported, 1 undecided."
    order = [study.title, study.question, score, "The error falls"]
    order += ["Bars of errors. The second is lower.", "Once more", "All figures", "More"]
    order += ["2 training runs, 2 min 6 s in total.", study.command, "digits", "2.10"]
    said, at = page.said(), 0
    for words in order:
        at = said.index(words, at) + len(words)


def test_every_verdict_is_a_word_and_an_icon(page):
    words = [" ".join(finding["words"].split()) for finding in page.findings]
    assert words == [
        "supported The error falls. Squared error: 8.4 against 36.2.",
        f"undecided: one seed {EVIL} is a model. A difference of 1.",
        "not supported Seeds agree. They differ by 6.2 %.",
    ]
    assert [finding["icons"] for finding in page.findings] == [1, 1, 1]
    assert [finding["class"] for finding in page.findings] == ["supported", "open", "contradicted"]


def test_tables_are_tables_with_their_numbers_on_the_right(page):
    cells = [[cell for cell, _ in row] for row in page.tables[0]]
    assert cells == [
        ["model", "latent dimensions", "squared error, summed"],
        ["d = 2", "2", "36.2"],
        ["d | 16", "16", "8.43"],
        [EVIL, "16,000", "–"],
    ]
    for row in page.tables[0]:
        assert [kind for _, kind in row] == ["words", "", ""]
    trained = [[" ".join(cell.split()) for cell, _ in row] for row in page.tables[-1]]
    assert trained[1] == ["d = 2", "1 min 35 s", "autoencode train ae --latent 2 --set a|b"]


def test_figures_and_tables_have_their_numbers_as_files(page):
    assert [image["alt"] for image in page.images] == ["Two bars."] * 2
    files = {link["download"]: link for link in page.links}
    assert list(files) == ["size.csv", "All-figures-table.csv", "More-table.csv"]
    link = files["All-figures-table.csv"]
    rows = list(csv.reader(unquote(link["href"].split(",", 1)[1]).splitlines()))
    assert rows[1] == ["d = 2", "2", "36.23"]
    assert rows[3] == [EVIL, "16000", ""]
    assert link["aria-label"] == "Data (CSV, 3 rows): All figures"
    assert "Data (CSV, 3 rows) , the seeds" in page.said()


def test_markdown_says_the_same(study):
    text = study_markdown(study, {"size": "studies/size.png"})
    lines = text.splitlines()
    assert lines[0] == "# How many latent dimensions?"
    assert "- The error falls. **Supported.** Squared error: 8.4 against 36.2." in lines
    assert "- Seeds agree. **Not supported.** They differ by 6.2 %." in lines
    evil = "- \\<script>alert(1)\\</script> is a model."
    assert f"{evil} **Undecided: one seed.** A difference of 1." in lines
    assert "Two trainings of p(x|z) on digits." in lines
    assert "![Two bars.](studies/size.png)" in lines
    assert "Bars of errors. The second is lower." in lines
    assert "Once more" not in text
    assert "| --- | ---: | ---: |" in lines
    assert "| d = 2 | 2 | 36.2 |" in lines
    assert "| d \\| 16 | 16 | 8.43 |" in lines
    assert "| d = 2 | 1 min 35 s | `autoencode train ae --latent 2 --set a\\|b` |" in lines
    assert "```sh\nautoencode study size --data digits\n```" in text
    assert "- torch: 2.10 (on two cores)" in lines
    assert text.endswith("\n")
    # Between two blocks stands one empty line, as the lists and tables need.
    assert "\n\n\n" not in text


def test_cells_as_people_read_them():
    table = Table(
        {"a": [True, np.float32(0.5)], "b": [-20_000, np.int64(3)], "c": [None, "x|y"]},
    )
    assert table.rows() == [["yes", "−20,000", "–"], ["0.500", "3", "x|y"]]
    assert table.is_numeric() == [False, True, False]

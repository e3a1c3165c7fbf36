import csv
import re
import resource
import shutil
import signal
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import DataError, ResourceError, RunError
from autoencode.models.run import data_record
from autoencode.report import write_comparison_page, write_report
from autoencode.report.facts import Compared, Fact, compare

EVIL = "<script>alert(1)</script>"
VOID = {"meta", "link", "img", "br"}
STORY = ["reconstructions", "plane", "samples", "grid", "paths", "wanted"]


class Page(HTMLParser):
    """Checks that tags close in order, and gathers figures, sections and what would be loaded."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sections, self.figures = [], [], []
        self.loads, self.tags, self.words = [], [], []
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
        if tag == "figure":
            self.figures.append({"section": self.sections[-1], "words": ""})
        if tag == "img":
            self.figures[-1].update(given)
        if tag == "a":
            self.figures[-1]["link"] = given
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "figcaption" in self.open:
            self.figures[-1]["words"] += data
        if "style" not in self.open:
            self.words.append(data)

    def said(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def page(runs, few):
    before = torch.random.get_rng_state()
    data = replace(few, classes=(EVIL, "$\\frac{1}{0}$", *few.classes[2:]))
    path = write_report(replace(runs["vae"], data=data_record(data)), data=data)
    assert torch.equal(before, torch.random.get_rng_state())
    assert path == runs["vae"].folder / "report.html"
    assert not list(path.parent.glob("*.tmp"))
    return Page(path.read_text(encoding="utf-8"))


def test_asks_nothing_of_the_network(page):
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert "script" not in page.tags
    assert page.loads
    assert all(load.startswith("data:") for load in page.loads)


def test_tells_the_story_in_order(page):
    assert page.sections == ["numbers", *STORY, "rates", "curves", "tracking", "model", "made"]


def test_every_figure_has_a_picture_an_alt_and_a_caption(page):
    assert [figure["section"] for figure in page.figures] == page.sections[1:-2]
    for figure in page.figures:
        assert figure["src"].startswith("data:image/webp;base64,UklGR")
        assert len(figure["alt"]) > 20
        assert len(figure["words"].strip()) > 40
        assert int(figure["width"]) == 720
        assert int(figure["height"]) > 100


def test_the_data_of_every_figure_lie_in_the_page(page):
    head = "data:text/csv;charset=utf-8,"
    linked = {f["section"]: f["link"] for f in page.figures if "link" in f}
    # Its figure is images alone.
    assert list(linked) == [name for name in page.sections[1:-2] if name != "tracking"]
    for section, link in linked.items():
        assert link["download"] == f"vae-{section}.csv"
        assert link["href"].startswith(head)
        rows = list(csv.reader(unquote(link["href"].removeprefix(head)).splitlines()))
        assert len({len(row) for row in rows}) == 1
        words = f"Data (CSV, {len(rows) - 1} rows)"
        assert words in page.said()
        # The name that is heard begins with what is seen.
        assert link["aria-label"].startswith(f"{words}: ")


def test_is_a_page_for_every_screen(page):
    assert '<html lang="en">' in page.text
    assert '<meta name="viewport" content="width=device-width' in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1


def test_says_what_was_measured_and_how_it_was_made(page, runs):
    metrics, said = runs["vae"].metrics(), page.said()
    assert f"{metrics['squared_error']:.3g} summed over 64 values" in said
    assert "mean of 120 test examples" in said
    assert f"k-NN accuracy {metrics['knn_accuracy']:.1%}" in said
    assert f"Rate {metrics['terms']['rate']:.3g} nats" in said
    assert "Training time 1 min 15 s for 40 steps" in said
    assert "12,345" in said
    assert "loss = −ln p(x|z) + KL(q(z|x) ‖ p(z))" in said
    assert "Kingma" in said
    assert "autoencode train ae & co" in said
    assert runs["vae"].data["fingerprint"] in said
    assert "lr 0.001" in said


def test_names_of_classes_are_text(page):
    assert "script" not in page.tags
    assert EVIL in page.said()


def test_a_bare_run_has_a_shorter_report(fresh_run, few):
    for name in ("metrics.json", "environment.json", "log.jsonl"):
        (fresh_run.folder / name).unlink()
    (fresh_run.folder / "figures" / "training" / "originals.png").unlink()
    data = replace(few, test=replace(few.test, y=None))
    page = Page(write_report(fresh_run, data=data).read_text(encoding="utf-8"))
    assert page.sections == ["numbers", *STORY[:-1], "model", "made"]
    assert "Squared error" not in page.said()
    assert "Parameters" in page.said()


def test_a_full_disk_leaves_the_old_page(fresh_run, few):
    path = fresh_run.folder / "report.html"
    path.write_text("the old page")
    (fresh_run.folder / "log.jsonl").unlink()  # the fewer figures the faster
    (fresh_run.folder / "figures" / "training" / "originals.png").unlink()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        with pytest.raises(ResourceError, match=r"no room on the disk for .*report\.html"):
            write_report(fresh_run, data=few)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_text() == "the old page"
    assert not list(fresh_run.folder.glob("*.tmp"))


@pytest.mark.parametrize("content", [b"no picture", None])
def test_a_damaged_strip_is_named(fresh_run, few, content):
    strip = fresh_run.folder / "figures" / "training" / "000000020.png"
    if content is None:
        content = strip.read_bytes()
        strip = strip.with_name("originals.png")
        content = content[: len(content) // 2]
    strip.write_bytes(content)
    with pytest.raises(RunError, match=strip.name):
        write_report(fresh_run, data=few)
    assert not (fresh_run.folder / "report.html").exists()


def test_data_of_another_run_are_refused(fresh_run, few):
    with pytest.raises(DataError, match="not those"):
        write_report(fresh_run, data=replace(few, fingerprint="0" * 64))


def test_arrays_in_memory_have_to_be_given(fresh_run):
    run = replace(fresh_run, data={**fresh_run.data, "source": ""})
    with pytest.raises(RunError, match="arrays in memory"):
        write_report(run)


def test_two_runs_side_by_side(tmp_path, runs, few):
    path = write_comparison_page(
        [runs["ae"], runs["vae"]], tmp_path / "two.html", "An AE & a VAE", few
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert "<title>An AE &amp; a VAE</title>" in page.text
    assert all(load.startswith("data:") for load in page.loads)
    for section in STORY:
        assert [figure["section"] for figure in page.figures].count(section) == 2
    assert [figure["section"] for figure in page.figures].count("rates") == 1
    links = [figure["link"] for figure in page.figures if figure["section"] == "plane"]
    assert [link["download"] for link in links] == ["ae-plane.csv", "vae-plane.csv"]
    assert links[0]["aria-label"] == "Data (CSV, 120 rows): Where the examples went, ae"
    said = page.said()
    # What a figure is stands there once, what to see in each of them twice.
    assert said.count("Each image is what a random code decodes to") == 1
    assert "The codes come from the box" in said
    assert "The codes come from the prior" in said
    # Nats under two likelihoods are not to be compared.
    rate = runs["vae"].metrics()["terms"]["rate"]
    assert re.search(rf"Rate per test example – {rate:.3g} nats", said)
    assert re.search(r"Reconstruction, gaussian −ln p\(x\|z\) [\d,.]+ nats –", said)
    assert (
        said.index("Reconstruction, gaussian") < said.index("Rate per") < said.index("Parameters")
    )


def test_figures_taken_over_different_things_say_so_each():
    columns = [[Fact("Time", "2 s", "for 10 steps")], [Fact("Time", "5 s", "for 20 steps")]]
    assert compare(columns) == [Compared("Time", "", [columns[0][0], columns[1][0]])]
    (alike,) = compare([columns[0], columns[0], []])
    assert alike.note == "for 10 steps"
    assert [fact.value for fact in alike.facts] == ["2 s", "2 s", "–"]


def test_two_runs_of_one_recipe_find_their_data_and_are_told_apart(tmp_path, fresh_run):
    data = load_data("digits")
    (fresh_run.folder / "log.jsonl").unlink()
    shutil.copytree(fresh_run.folder, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "figures")
    one = replace(fresh_run, data=data_record(data))
    path = write_comparison_page(
        [one, replace(one, folder=tmp_path / "again")], tmp_path / "two.html", "Two"
    )
    page = Page(path.read_text(encoding="utf-8"))
    assert f"one of {len(data.test)} test examples" in page.said()
    assert "ae (run)" in page.said()
    assert "ae (again)" in page.said()
    assert page.figures[0]["link"]["download"] == "ae-run-reconstructions.csv"
    assert [figure["section"] for figure in page.figures].count("tracking") == 1


def test_no_runs_at_all(tmp_path):
    with pytest.raises(RunError, match="no runs"):
        write_comparison_page([], tmp_path / "none.html", "None")

"""Every command and every line of Python in the README and the docs runs."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from autoencode.cli.main import main
from autoencode.sklearn.base import AutoencoderEstimator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Blocks of this page need those before them; `test_round_trip` runs them in order.
PAGES.remove(ROOT / "docs" / "walkthrough.md")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`(autoencode [^`]+)`")


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def commands(page):
    """The `autoencode …` commands of a page, in order."""
    lines = [line for body in blocks(page, "sh") for line in body.splitlines()]
    lines += INLINE.findall(BLOCK.sub("", page.read_text(encoding="utf-8")))
    # Words in capitals are placeholders.
    lines = [
        line
        for line in lines
        if line.startswith("autoencode ") and not re.search(r"\b[A-Z]{3,}\b", line)
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines]


ADDRESS = "tcp://127.0.0.1:8786"


@pytest.fixture(scope="module")
def scheduler():
    """The address of a scheduler that runs here, with a worker."""
    from autoencode.scale.cluster import connected

    with connected(None, 1) as client:
        yield client.scheduler.addr


def shortened(command):
    """The same command in a second: few steps, and images of 8×8 that need no download."""
    small = ["digits" if word in ("mnist", "fashion-mnist") else word for word in command]
    if small[0] in ("train", "demo", "study", "sweep"):
        small += ["--steps", "20"]  # the last one counts
    if small[0] == "study":
        small += ["--seeds", "1", "--workers", "1"]
    if small[0] == "sweep":
        small += ["--trials", "2"]
    if "--seeds" in small and small[0] == "train":
        small += ["--seeds", "2"]
    if small[0] == "evaluate" and "--measures" not in small:
        small += ["--measures", "quick,likelihood", "--samples", "20"]
    if small[0] == "train":
        small += [] if "--data" in small else ["--data", "digits"]
        small += ["--no-report"]
    if small[0] == "anomalies":  # digits have no class of that name
        small = ["3" if word == "bag" else word for word in small]
    if small[0] == "explore":
        # Into a file: a server would wait for Ctrl-C.
        small = [word for word in small if word != "--watch"] + ["--points", "50", "--overwrite"]
        small += [] if "--html" in small else ["--html", "explorer.html"]
    if "--epochs" in small:
        small[small.index("--epochs") + 1] = "1"
    return small


def check_service(listening, service, *_):
    """Instead of answering until a signal: one request for each model."""
    from starlette.testclient import TestClient

    from autoencode.use.service.app import create_app

    with TestClient(create_app(service)) as client:
        for name in service.store.models:
            assert client.post(f"/v1/models/{name}/generate").status_code == 200


def test_pages_show_commands():
    assert len(commands(ROOT / "README.md")) >= 5
    assert len(commands(ROOT / "docs" / "command.md")) >= 12
    assert blocks(ROOT / "README.md", "python")


def name_of(page):
    """The name of a page, unique among all pages: "data", "api/data"."""
    inside = page.relative_to(ROOT).with_suffix("").as_posix()
    return inside.removeprefix("docs/")


def quick_and_slow(page):
    """Pages with many trainings, or with all metrics, are slow."""
    many = name_of(page) in ("recipes", "proof", "measures") or page.parent.name == "studies"
    return pytest.param(page, marks=pytest.mark.slow if many else ())


@pytest.mark.long
@pytest.mark.parametrize("page", [quick_and_slow(page) for page in PAGES], ids=name_of)
def test_commands_run(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    if name_of(page) == "hub":
        request.getfixturevalue("hub")  # a local stand-in
    monkeypatch.setattr("autoencode.evaluation.classifier.MIN_STEPS", 50)
    monkeypatch.setattr("autoencode.studies.beta.WEIGHTS", (0.5, 1.0, 16.0))
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})  # starts no workers
    if name_of(page) in ("data", "use"):  # the first block writes the tables of its commands
        exec(compile(blocks(page, "python")[0], page.name, "exec"), {})
    if name_of(page) == "modules":  # the last one writes the file of a network
        text = blocks(page, "python")[-1].partition("run = ")[0]
        exec(compile(text, page.name, "exec"), {})
    monkeypatch.setattr("autoencode.use.service.server.serve_on", check_service)
    for command in commands(page):
        if ADDRESS in command:
            running = request.getfixturevalue("scheduler")
            command = [running if word == ADDRESS else word for word in command]
        with pytest.raises(SystemExit) as end:
            main(shortened(command))
        assert end.value.code == 0, command


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_runs(page, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    if name_of(page) == "hub":
        request.getfixturevalue("hub")
    settings = AutoencoderEstimator._settings
    monkeypatch.setattr(
        AutoencoderEstimator, "_settings", lambda self: settings(self) | {"steps": 20}
    )
    names: dict[str, object] = {}
    for body in blocks(page, "python"):
        exec(compile(re.sub(r"steps=\d+", "steps=20", body), page.name, "exec"), names)


def test_generated_pages_are_current():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    assert (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8") == generate.page()
    export = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    assert export == generate.export(export)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_have_targets(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target

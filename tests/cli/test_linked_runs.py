"""Runs with links inside: nothing outside of them is written or deleted, by any verb."""

import os
import shutil

import pytest

from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train.checkpoint import checkpoints

pytestmark = pytest.mark.long

QUICK = "--set network.hidden=[16] --steps 20 --batch-size 50 --validate-every 20 --no-report"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with files of others; among them such as a killed writer leaves."""
    folder = tmp_path / "elsewhere"
    (folder / "training").mkdir(parents=True)
    for name in ("letter.4194000.tmp", "a.tmp", "training/000000001.png.4194000.tmp", "letter"):
        (folder / name).write_text("dear")
    return folder


def link(run, name, elsewhere):
    """Puts a link to `elsewhere`, which then has the same files, in the place of a folder."""
    path = run / name
    if path.is_dir():
        shutil.copytree(path, elsewhere, dirs_exist_ok=True)
        shutil.rmtree(path)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(elsewhere)
    return content(elsewhere)


@pytest.mark.parametrize(
    "name", ["state", "figures", "figures/training", "evaluation", "snapshots", "tensorboard"]
)
def test_resume_refuses_a_folder_that_is_a_link(refused, half, elsewhere, name):
    before = link(half, name, elsewhere)
    message = refused("resume half")
    assert f"half/{name} is a link, and nothing is written or deleted outside of" in message
    assert content(elsewhere) == before
    (half / name).unlink()  # one of the two ways out
    if name != "state":
        assert resume(half, progress=False).run.status == "done"


@pytest.mark.parametrize(
    "line",
    [
        "evaluate RUN --measures quick",
        "compare RUN other --out c",
        f"train ae --data digits {QUICK} --out RUN --overwrite",
        "train --continue RUN --steps 5 --out RUN --overwrite --no-report",
    ],
    ids=["evaluate", "compare", "overwrite", "continue"],
)
@pytest.mark.parametrize("name", ["evaluation", "figures", "projections"])
def test_other_verbs_refuse_it_too(run, ae, vae, elsewhere, line, name):
    vae.rename(vae.parent / "other")
    before = link(ae, name, elsewhere)
    mine = content(ae)
    outcome = run(line.replace("RUN", "ae"))
    assert outcome.code == 2, outcome
    assert f"error: ae/{name} is a link" in outcome.err
    assert content(elsewhere) == before
    assert content(ae).keys() - mine.keys() <= {ae / "run.lock"}


def test_seeds_refuse_it_before_anything_is_deleted(run, ae, folder, elsewhere):
    (folder / "s").mkdir()
    ae.rename(folder / "s" / "seed-0")
    before = link(folder / "s" / "seed-0", "figures", elsewhere)
    outcome = run(f"train ae --data digits --seeds 1 {QUICK} --out s --overwrite")
    assert "s/seed-0/figures is a link" in outcome.error
    assert content(elsewhere) == before
    assert load(folder / "s" / "seed-0")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("letter")])
@pytest.mark.parametrize(
    "line", ["resume half", f"train ae --data digits {QUICK} --out half --overwrite"]
)
def test_a_lock_that_is_no_file_is_refused(run, half, make, line):
    (half / "run.lock").unlink(missing_ok=True)
    make(half / "run.lock")
    assert "half/run.lock is not a regular file" in run(line).error
    assert checkpoints(half / "state")
    assert not (half / "letter").exists()


def test_what_only_reads_goes_through_links(run, ae, elsewhere):
    link(ae, "figures", elsewhere)
    (ae / "weights.safetensors").rename(elsewhere / "blob")
    (ae / "weights.safetensors").symlink_to(elsewhere / "blob")
    before = content(elsewhere)
    assert run("generate ae --out a.png").code == 0
    assert run("explore ae --html a.html --points 50").code == 0
    assert content(elsewhere) == before


def test_files_that_are_links_are_replaced(run, ae, elsewhere):
    for name in ("metrics.json", "report.html", "card.md"):
        (elsewhere / name).write_text("{}")
        (ae / name).unlink(missing_ok=True)
        (ae / name).symlink_to(elsewhere / name)
    before = content(elsewhere)
    assert run("evaluate ae --measures reconstruction").code == 0
    assert content(elsewhere) == before
    assert not (ae / "metrics.json").is_symlink()
    assert open_run(ae).metrics()["n_test"] > 0


def test_a_log_that_is_a_link_is_not_written_through(half, elsewhere):
    (half / "log.jsonl").rename(elsewhere / "log")
    (half / "log.jsonl").symlink_to(elsewhere / "log")
    before = content(elsewhere)
    lines = open_run(half).log()
    run = resume(half, progress=False).run
    assert content(elsewhere) == before
    assert run.log()[: len(lines)] == lines
    assert run.log()[-1]["step"] == 20


def test_the_run_may_be_reached_through_a_link(run, digits, half, folder):
    (folder / "disk").mkdir()
    (folder / "runs").symlink_to(folder / "disk")
    half.rename(folder / "disk" / "half")
    (folder / "best").symlink_to(folder / "disk" / "half")
    resume("best", progress=False)
    assert run("evaluate runs/half --measures quick").code == 0
    fit("ae", digits, out="best", overwrite=True, steps=2, progress=False)
    assert (folder / "best").is_symlink()
    assert open_run("runs/half").summary["steps"] == 2


def test_unfinished_files_go_when_a_verb_writes(run, ae, half):
    for folder in (ae, half):
        for place in ("", "evaluation", "figures/training"):
            (folder / place).mkdir(parents=True, exist_ok=True)
            (folder / place / "codes.json.4194000.tmp").write_text("half")
            (folder / place / f"codes.json.{os.getpid()}.tmp").write_text("of a living process")
    assert run("evaluate ae --measures quick").code == 0
    resume(half, progress=False)
    for folder in (ae, half):
        assert {path.name for path in folder.rglob("*.tmp")} == {f"codes.json.{os.getpid()}.tmp"}

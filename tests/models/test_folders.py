"""The folder of a run: links inside it, what killed writers left, and what is deleted."""

import os

import pytest

from autoencode.errors import RunError
from autoencode.io.folders import (
    FOLDERS,
    check_replaceable,
    empty_folder,
    open_folder,
    open_for_writing,
)


@pytest.fixture
def run(tmp_path):
    """A folder with the files of a run, and a folder next to it."""
    folder = tmp_path / "run"
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "a.safetensors").write_text("kept")
    for name in ("run.json", "recipe.json", "weights.safetensors", "run.lock"):
        (folder / name).write_text("kept")
    (tmp_path / "elsewhere" / "training").mkdir(parents=True)
    return folder


def linked(run, name, target):
    """Puts a link in the place of a part of a run."""
    path = run / name
    if path.is_dir():
        path.rename(run.parent / "moved")
    else:
        path.unlink()
    path.symlink_to(target)
    return path


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("target", ["../elsewhere", "nothing", "/dev/null"])
def test_a_folder_that_is_a_link_is_refused_by_name(run, dead, name, target):
    other = run.parent / "elsewhere" / f"a.json.{dead}.tmp"
    other.write_text("not of the run")
    linked(run, name, run.parent / "elsewhere" if ".." in target else target)
    for act in (open_for_writing, empty_folder, lambda run: open_folder(run, name)):
        with pytest.raises(RunError, match=rf"run/{name} is a link"):
            act(run)
    assert other.exists()
    assert sorted(path.name for path in other.parent.iterdir()) == [other.name, "training"]
    assert (run / "run.json").exists()


def test_a_link_above_the_folder_is_refused_too(run):
    linked(run, "figures", run.parent / "elsewhere")
    with pytest.raises(RunError, match="run/figures is a link"):
        open_folder(run, "figures/training")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("")])
@pytest.mark.parametrize("name", ["state", "evaluation", "snapshots"])
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, make, name):
    make(tmp_path / name)
    for act in (open_for_writing, lambda run: open_folder(run, name)):
        with pytest.raises(RunError, match=f"{name} should be a folder"):
            act(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/hosts")])
def test_a_lock_that_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / "run.lock")
    with pytest.raises(RunError, match=r"run\.lock is not a regular file"):
        open_for_writing(tmp_path)


def test_the_run_itself_may_be_reached_through_a_link(run, tmp_path):
    (tmp_path / "runs").symlink_to(tmp_path)
    (tmp_path / "best").symlink_to(run)
    for folder in (tmp_path / "runs" / "run", tmp_path / "best"):
        open_for_writing(folder)
        assert open_folder(folder, "figures/training").is_dir()


@pytest.mark.parametrize("place", ["", "state", "evaluation", "projections", "figures/training"])
def test_only_unfinished_files_of_dead_processes_are_swept(run, dead, place):
    kept = {
        f"a.{dead}.tmp.txt",
        f".{dead}.tmp",
        f"a{dead}.tmp",
        "a.tmp",
        "a.b.tmp",
        f"a.{os.getpid()}.tmp",
        "a.1.tmp",
        f"a.{10**12}.tmp",
    }
    for name in kept:
        (run / place / name).write_text("kept")
    gone = [f"codes.safetensors.{dead}.tmp", f"a\nb.{dead}.tmp", f"0001.png.{dead}.tmp"]
    for name in gone:
        (run / place / name).write_text("half")
    (run / place / f"folder.{dead}.tmp").mkdir()
    (run / place / f"link.{dead}.tmp").symlink_to(run / "run.json")
    os.mkfifo(run / place / f"pipe.{dead}.tmp")
    open_for_writing(run)
    left = {path.name for path in (run / place).iterdir()}
    assert kept <= left
    assert not left & set(gone)
    assert {f"folder.{dead}.tmp", f"link.{dead}.tmp", f"pipe.{dead}.tmp"} <= left


def test_a_run_that_may_only_be_read_is_no_fault(run, dead):
    (run / f"a.{dead}.tmp").write_text("half")
    run.chmod(0o555)
    try:
        open_for_writing(run)
    finally:
        run.chmod(0o755)


@pytest.mark.parametrize("name", ["notes.txt", "samples.png", ".hidden", "run.json.bak", "data"])
def test_a_folder_with_other_files_is_not_replaced(run, name):
    check_replaceable(run)
    (run / name).mkdir() if name == "data" else (run / name).write_text("mine")
    with pytest.raises(RunError, match=f"such as {name}, and overwriting"):
        check_replaceable(run)
    empty_folder(run)
    assert [path.name for path in run.iterdir()] == [name]


def test_what_a_link_points_to_is_not_deleted(run):
    for name in ("weights.safetensors", "run.json"):
        target = run.parent / "elsewhere" / name
        target.write_text("theirs")
        linked(run, name, target)
    check_replaceable(run)
    empty_folder(run)
    assert not list(run.iterdir())
    assert {path.name for path in (run.parent / "elsewhere").iterdir()} == {
        *("training", "weights.safetensors", "run.json"),
    }

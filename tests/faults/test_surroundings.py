"""What surrounds a process: pipes, terminals, locales, limits, a full /dev/shm, the clock."""

import errno
import os
import shutil
import subprocess
import sys
from multiprocessing.context import BaseContext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencode
from autoencode.data import load_data
from autoencode.data.read import decoding
from autoencode.data.read.decoding import MANY_FILES
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit

# A locale that knows ASCII only, whatever Python thinks of it.
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TERM": "dumb"}


@pytest.mark.slow
def test_a_training_goes_on_when_nobody_reads_what_it_says(start, ended, tmp_path):
    """As `| head -1` leaves it, with no terminal, and in a locale that knows ASCII only."""
    reading, writing = os.pipe()
    os.close(reading)
    quick = "--steps 20 --validate-every 20 --set network.hidden=[16] --no-report --out run"
    process = start("train", "vae", "--data", "digits", *quick.split(), env=BARE, stdout=writing)
    os.close(writing)
    _, err = ended(process, 0)
    assert err == ""
    assert open_run(tmp_path / "run").metrics()["n_test"] == 359


@pytest.mark.slow  # processes of their own
def test_lines_that_nobody_reads_are_no_fault(start, ended):
    """The reader has left before the first line comes."""
    process = start("recipes", env=BARE)
    process.stdout.close()
    process.stdout = None
    _, err = ended(process, 0)
    assert err == ""


@pytest.fixture(scope="module")
def place(digits, tmp_path_factory):
    """A folder with a run, and with as many images as are read by several processes."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "images").mkdir()
    fit(RECIPES["ae"].set("network.hidden", (16,)), digits, steps=20, out=folder / "run")
    for i in range(MANY_FILES):
        pixels = np.full((8, 8), i % 17, np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{i:04d}.png")
    return folder


SHORT = "--steps 20 --set network.hidden=[16] --out r"
COMMANDS = {
    "train": f"train vae --data digits {SHORT}",
    "evaluate": "evaluate {place}/run --measures quick",
    "embed": "embed {place}/run --data {place}/images --range 0 16 --out codes.csv",
    "explore": "explore {place}/run --html page.html --points 10",
    "seeds": f"train vae --data digits {SHORT} --seeds 2",
}
# A file system of 64 KB that is full, in a mount namespace that ends with the command.
FULL = "mount -t tmpfs -o size=64k tmpfs /dev/shm; yes > /dev/shm/full 2> /dev/null; "
# After a few calls the clock of the machine is set back by an hour.
BACK = """
import time
_time, _ns, _calls = time.time, time.time_ns, []
def _behind():
    _calls.append(0)
    return 3600 if len(_calls) > 9 else 0
time.time = lambda: _time() - _behind()
time.time_ns = lambda: _ns() - _behind() * 10**9
"""


def can_mount():
    words = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
    return bool(shutil.which("unshare")) and subprocess.run(words, stderr=-3).returncode == 0


def in_shell(words, folder, before, wrapper=("sh", "-c"), **env):
    """Runs a command after some lines of a shell."""
    line = f'{before} exec "$0" -m autoencode {words}'
    return subprocess.run(
        [*wrapper, line, sys.executable],
        cwd=folder,
        env={**os.environ, "AUTOENCODE_OFFLINE": "1", "OMP_NUM_THREADS": "1", **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def check(name, done, folder):
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.rglob("*.tmp"))
    if name == "embed":
        assert len((folder / "codes.csv").read_text().splitlines()) == MANY_FILES + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_32_open_files_are_enough(name, place, tmp_path):
    done = in_shell(COMMANDS[name].format(place=place), tmp_path, "ulimit -n 32;")
    check(name, done, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not can_mount(), reason="no mounts are allowed here")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_dev_shm(name, place, tmp_path):
    """Semaphores of processes are files there."""
    unshare = ("unshare", "-Urm", "sh", "-c")
    done = in_shell(COMMANDS[name].format(place=place), tmp_path, FULL, unshare)
    check(name, done, tmp_path)
    told = "reading images in one process, because worker processes cannot be started: no space"
    assert (told in done.stderr) == (name == "embed")


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_clock_that_goes_back(name, place, tmp_path):
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(BACK)
    path = f"{tmp_path / 'clock'}:{Path(autoencode.__file__).parents[1]}"
    done = in_shell(COMMANDS[name].format(place=place), tmp_path, "", PYTHONPATH=path)
    check(name, done, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_home_that_cannot_be_written_and_a_narrow_umask(name, place, tmp_path):
    done = in_shell(COMMANDS[name].format(place=place), tmp_path, "umask 077;", HOME="/proc/none")
    check(name, done, tmp_path)
    for path in tmp_path.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.long
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.EAGAIN])
@pytest.mark.parametrize("after", [0, 3])
def test_images_are_read_in_one_process_if_no_other_can_be_started(
    place, tmp_path, monkeypatch, capsys, error, after
):
    class Queue:
        opened = 0

        def __init__(self):
            if Queue.opened == after:
                raise OSError(error, os.strerror(error))
            Queue.opened += 1

        def close(self):
            Queue.opened -= 1

    monkeypatch.setattr(decoding, "MANY_FILES", 5)
    monkeypatch.setattr(BaseContext, "SimpleQueue", lambda _: Queue())
    for i in range(6):
        shutil.copy(place / "images" / f"{i:04d}.png", tmp_path)
    data = load_data(tmp_path)
    assert sum(len(part) for part in (data.train, data.validation, data.test)) == 6
    err = capsys.readouterr().err
    assert f"because worker processes cannot be started: {os.strerror(error).lower()}\n" in err
    assert Queue.opened == 0

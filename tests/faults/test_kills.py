"""Commands that are killed at any moment: the same command then works, and nothing is left over.

A killed command is a fork of this process, which has imported everything, so that the kills fall
into the work of the command. They are spread over its whole time, as an undisturbed run takes it.
"""

import getpass
import importlib
import json
import os
import pkgutil
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import autoencode
from autoencode.cli.main import main
from autoencode.data import SOURCES
from autoencode.data.named.catalogue import File, Package, Source
from autoencode.data.read.idx import idx_bytes
from autoencode.train import fit

KILLS, BOUND = 20, 120
LEFT_OVER = ("*.tmp", "*.parts", "*.part")
pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no list of processes")


class Killed(NamedTuple):
    """A command, what it needs, and what it should give: compared with an undisturbed run."""

    words: str
    result: Callable
    runs: bool = True
    kills: int = KILLS


def tree(*patterns):
    """The content of files in a folder, by their names."""

    def content(folder):
        found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
        assert found
        return {path.relative_to(folder): path.read_bytes() for path in found}

    return content


def table(name, *keys):
    """Some entries of a JSON file, or all of them."""

    def content(folder):
        found = json.loads((folder / name).read_text())
        return {key: found[key] for key in keys} if keys else found

    return content


def arrays(folder):
    with np.load(folder / "codes.npz", allow_pickle=False) as found:
        return {name: (found[name].shape, found[name].tobytes()) for name in found}


QUICK = "--data digits --set network.hidden=[16] --validate-every 60 --checkpoint-every 20"
ESTIMATES = "--samples 10 --images 20"
# Each with --overwrite, because the kill may come after the end.
USE = "ae --data images --range 0 255 --overwrite --out"
COMMANDS = {
    "compare": Killed(f"compare ae vae --out compared {ESTIMATES}", table("compared/compare.json")),
    "study": Killed(
        "study noise --data digits --steps 20 --seeds 1 --workers 2 --out studied",
        table("studied/study.json", "findings"),
        runs=False,
    ),
    "evaluate": Killed(f"evaluate vae {ESTIMATES} --projection tsne", table("vae/metrics.json")),
    "train": Killed(
        f"train vae {QUICK} --steps 60 --seeds 3 --out many",
        tree("many/*/weights.safetensors"),
        runs=False,
    ),
    "explore": Killed(
        "explore ae vae --html page.html --points 100 --overwrite", tree("page.html")
    ),
    "fetch": Killed("data fetch made", tree("cache/made/*"), runs=False),
    "csv": Killed(f"embed {USE} codes.csv", tree("codes.csv"), kills=5),
    "parquet": Killed(f"embed {USE} codes.parquet", tree("codes.parquet"), kills=5),
    "npz": Killed(f"embed {USE} codes.npz", arrays, kills=5),
    "reconstruct": Killed(f"reconstruct {USE} again", tree("again/**/*.png"), kills=5),
}


@pytest.fixture(scope="module", autouse=True)
def _imported():
    for each in pkgutil.walk_packages(autoencode.__path__, "autoencode."):
        if each.name != "autoencode.__main__":
            importlib.import_module(each.name)
    for name in ("matplotlib.backends.backend_agg", "pyarrow.parquet", "sklearn.datasets"):
        importlib.import_module(name)


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """A folder with two runs, and with 600 images of 8×8."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "images").mkdir()
    for name in ("ae", "vae"):
        recipe = autoencode.RECIPES[name].set("network.hidden", (16,))
        fit(recipe, digits, steps=40, out=folder / name, progress=False)
    for i in range(600):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{i:04d}.png")
    return folder


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The data set "made", which a package client on this machine brings slowly."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    content = {
        "train-images-idx3-ubyte": idx_bytes(pixels[:40]),
        "train-labels-idx1-ubyte": idx_bytes(labels[:40]),
        "t10k-images-idx3-ubyte": idx_bytes(pixels[40:]),
        "t10k-labels-idx1-ubyte": idx_bytes(labels[40:]),
    }
    files = tuple(File(n, sha256(c).hexdigest(), len(c)) for n, c in content.items())
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    with tarfile.open(shelf / "made-1.0.tgz", "w:gz") as tar:
        for name, each in content.items():
            (shelf / name).write_bytes(each)
            tar.add(shelf / name, f"package/data/{name}")
    npm = shelf / "npm"
    npm.write_text(
        f"#!{sys.executable} -IS\nimport shutil, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '0.2'])\nopen('made-1.0.tgz.tmp', 'w').write('x')\n"
        f"child.wait()\nshutil.copy({str(shelf / 'made-1.0.tgz')!r}, '.')\n"
        "import os; os.remove('made-1.0.tgz.tmp')\n"
    )
    npm.chmod(0o755)
    classes = tuple("0123456789")
    packages = (Package("npm", "made", "1.0"),)
    made = Source("made", "t", 60, (28, 28), classes, "none", "", files, packages=packages)
    monkeypatch.setitem(SOURCES, "made", made)
    monkeypatch.setenv("PATH", f"{shelf}:/usr/bin:/bin")


def begin(words, folder):
    """Starts a command in a process of its own, in a folder; returns its number."""
    (folder / "scratch").mkdir(exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking; torch computes alone here
        child = os.fork()
    if child:
        return child
    code = 99
    try:
        os.chdir(folder)
        os.environ["TMPDIR"], os.environ["AUTOENCODE_CACHE"] = (
            str(folder / "scratch"), str(folder / "cache"),
        )  # fmt: skip
        os.environ.pop("AUTOENCODE_OFFLINE", None)
        tempfile.tempdir = None
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        main(words.split())
        code = 0
    except SystemExit as leaving:
        code = leaving.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(words, folder):
    """Runs a command to its end; returns its seconds."""
    begun = time.monotonic()
    child = begin(words, folder)
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        assert time.monotonic() < begun + BOUND
        time.sleep(0.005)
    assert os.waitstatus_to_exitcode(ended[1]) == 0, (folder / "said.txt").read_text()
    return time.monotonic() - begun


def processes_in(folder):
    """The processes that work in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink().is_relative_to(folder):
                found.append((each.name, (each / "cmdline").read_text()))
        except OSError:  # it has ended
            continue
    return found


def wait_for_the_end_of_all(folder):
    """Until no process works in a folder: workers see within moments that their parent is gone."""
    deadline = time.monotonic() + 30
    while left := processes_in(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def check(command, runs, tmp_path, kills, seed=0):
    """Kills a command so many times, each time in a new folder, and then lets it work."""

    def new(name):
        folder = tmp_path / name
        shutil.copytree(runs, folder) if command.runs else folder.mkdir()
        return folder

    undisturbed = new("undisturbed")
    seconds = finish(command.words, undisturbed)
    expected = command.result(undisturbed)
    random_ = random.Random(seed)
    cut = 0
    for kill in range(kills):
        folder = new(f"killed-{kill}")
        child = begin(command.words, folder)
        time.sleep((kill + random_.random()) / kills * seconds)
        os.kill(child, signal.SIGKILL)
        cut += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        wait_for_the_end_of_all(folder)
        finish(command.words + again(command, folder), folder)
        assert command.result(folder) == expected
        assert [path for ending in LEFT_OVER for path in folder.rglob(ending)] == []
        scratch = {path.name for path in (folder / "scratch").iterdir()}
        assert scratch <= {f"torchinductor_{getpass.getuser()}"}  # a lasting cache of torch
        wait_for_the_end_of_all(folder)
        shutil.rmtree(folder)
    assert cut >= kills // 2  # others had ended a little earlier than the undisturbed one


def again(command, folder):
    """A comparison that was complete before the kill is replaced only when that is asked for."""
    done = command.words.startswith("compare") and (folder / "compared/compare.html").exists()
    return " --overwrite" if done else ""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_works_again_and_leaves_nothing(name, runs, tmp_path, package):
    check(COMMANDS[name], runs, tmp_path, COMMANDS[name].kills)


@pytest.mark.long
@pytest.mark.parametrize("name", ["evaluate", "npz"])
def test_two_kills(name, runs, tmp_path):
    command = COMMANDS[name]
    if name == "evaluate":  # what takes most of the time is left to the other test
        command = command._replace(words=f"{command.words} --measures quick,likelihood,space")
    check(command, runs, tmp_path, kills=2, seed=1)

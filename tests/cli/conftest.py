"""The command, run inside the test process, in a folder of its own."""

import json
import shlex
import shutil
import signal
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer
from PIL import Image

from autoencode.cli.main import main
from autoencode.errors import Interrupted
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit
from autoencode.train.trainer import Trainer

SETTINGS = {"steps": 20, "batch_size": 50, "validate_every": 20}


class Outcome(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence on standard error."""
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True, scope="session")
def _one_command():
    """Typer makes the command anew at each call, which takes longer than most refusals."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The empty folder in which a command runs; without network, and without the user's cache.

    Judges of generated images are trained in a moment.
    """
    monkeypatch.setattr("autoencode.evaluation.classifier.MIN_STEPS", 50)
    monkeypatch.setenv("AUTOENCODE_OFFLINE", "1")
    monkeypatch.delenv("AUTOENCODE_DATA", raising=False)
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def run(capsys):
    """run("train ae --steps 5") -> Outcome."""

    def call(line: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line))
        return Outcome(left.value.code, *capsys.readouterr())

    return call


@pytest.fixture
def refused(run, folder):
    """refused("train vea") -> the one sentence; the exit code is 2 and nothing is left behind."""

    def call(line: str, code: int = 2) -> str:
        before = sorted(folder.rglob("*"))
        outcome = run(line)
        assert outcome.code == code, outcome
        assert outcome.out == ""
        assert sorted(folder.rglob("*")) == before
        return outcome.error

    return call


@pytest.fixture(scope="session")
def trained(digits, tmp_path_factory):
    """Finished runs by recipe, on digits; nobody may change them."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("ae", "vae"):
        recipe = RECIPES[name].set("network.hidden", (16,))
        fit(recipe, digits, out=folder / name, **SETTINGS)
    return folder


@pytest.fixture
def ae(trained, folder):
    """A finished run of one's own, at "ae"."""
    return shutil.copytree(trained / "ae", folder / "ae")


@pytest.fixture
def vae(trained, folder):
    """A finished run of one's own, at "vae"."""
    return shutil.copytree(trained / "vae", folder / "vae")


@pytest.fixture
def unfinished(monkeypatch):
    """unfinished(step, *what, **how) trains and is stopped there, as by a signal."""
    update = Trainer.update

    def stop(step, *what, **how):
        def stopped(self):
            if self.step == step:
                self.interrupt(signal.SIGTERM)
            return update(self)

        monkeypatch.setattr(Trainer, "update", stopped)
        with pytest.raises(Interrupted):
            fit(*what, **how)
        monkeypatch.setattr(Trainer, "update", update)

    return stop


@pytest.fixture
def half(digits, folder, unfinished):
    """A run like `ae`, interrupted halfway, at "half"."""
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    unfinished(10, recipe, digits, out=folder / "half", **SETTINGS)
    return folder / "half"


@pytest.fixture
def images(folder):
    """A folder of forty grey PNGs of 8×8 in two classes, at "images"."""
    draw = np.random.default_rng(0)
    for name in "ab":
        (folder / "images" / name).mkdir(parents=True)
        for i in range(20):
            pixels = draw.integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{i:02}.png")
    return folder / "images"

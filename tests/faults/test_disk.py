"""Disks that are full and folders that cannot be written to."""

import json
import resource
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencode.cli.main import main
from autoencode.errors import ResourceError
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train.trainer import Trainer

RECIPE = RECIPES["ae"].set("network.hidden", (16,))
SETTINGS = {"steps": 40, "batch_size": 50, "checkpoint_every": 10, "validate_every": 40}


@contextmanager
def room_for(size):
    """No file may grow beyond `size` bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def left(line):
    with pytest.raises(SystemExit) as leaving:
        main(line.split())
    return leaving.value.code


@pytest.mark.usefixtures("digits")  # what loads them opens files of its own
@pytest.mark.parametrize("size", [0, 6000])
def test_no_room_at_the_start_leaves_nothing(tmp_path, monkeypatch, capsys, size):
    monkeypatch.chdir(tmp_path)
    with room_for(size):
        assert left("train ae --data digits --steps 20 --out run") == 4
    err = capsys.readouterr().err
    assert err.startswith("error: There is no room on the disk for run/state/")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_no_room_in_the_middle_keeps_what_was_saved(tmp_path, monkeypatch, capsys, digits):
    monkeypatch.chdir(tmp_path)
    whole = fit(RECIPE, digits, **SETTINGS).model.state_dict()
    update = Trainer.update

    def filled(self):
        if self.step == 15:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
        return update(self)

    with monkeypatch.context() as patch, room_for(10**9):
        patch.setattr(Trainer, "update", filled)
        with pytest.raises(ResourceError, match=r"no room .* run/state"):
            fit(RECIPE, digits, out="run", **SETTINGS)
    names = [path.name for path in (tmp_path / "run" / "state").iterdir()]
    assert sorted(names) == ["state-000000000.safetensors", "state-000000010.safetensors"]
    assert left("resume run --no-report") == 0
    assert capsys.readouterr().err == ""
    resumed = load("run").state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.long
def test_no_room_for_a_line_of_the_log(tmp_path, monkeypatch, digits):
    """The checkpoint fits, and the log does not; its last line is cut off and no harm."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("autoencode.train.callbacks.LOG_LINES", 400)
    settings = {**SETTINGS, "steps": 400, "checkpoint_every": 100, "validate_every": 400}
    with room_for(40_000), pytest.raises(ResourceError, match=r"no room .* run/log\.jsonl"):
        fit(RECIPE, digits, out="run", **settings)
    whole = fit(RECIPE, digits, **settings).model.state_dict()
    resumed = resume("run").model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    steps = [line["step"] for line in open_run("run").log() if "validation" not in line]
    assert steps == list(range(1, 401))


def test_no_room_for_a_picture_leaves_the_old_one(tmp_path, monkeypatch, capsys, digits):
    monkeypatch.chdir(tmp_path)
    fit(RECIPE, digits, out="run", **SETTINGS)
    Path("a.png").write_bytes(b"mine")
    with room_for(1000):
        assert left("reconstruct run --out a.png --overwrite") == 4
    assert "no room on the disk for a.png" in capsys.readouterr().err
    assert Path("a.png").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "run"]


PROBE = """
import os, sys
from autoencode.cli.main import main

def run(line):
    try:
        main(line.split())
    except SystemExit as left:
        return left.code

folder, *lines = sys.argv[1:]
train = "train ae --data {}/x.npy --out /proc/x"
for line in ("evaluate {}/run --measures quick", train, "generate {}/run --out /x/"):
    run(line.format(folder))  # imports all that it needs, while modules can still be read
print("ready", file=sys.stderr, flush=True)
if not os.geteuid():
    os.setgid(65534)
    os.setuid(65534)
for line in lines:
    print("left", line.split()[0], "with", run(line), flush=True)
"""


@pytest.mark.slow
def test_folders_that_may_only_be_read(start, ended):
    """As a user without rights: root may write anywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "x.npy", np.random.default_rng(0).random((60, 5, 5)))
        fit(RECIPE, folder / "x.npy", out=folder / "run", **SETTINGS)
        half = shutil.copytree(folder / "run", folder / "half")
        record = json.loads((half / "run.json").read_text())
        (half / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        train = f"train ae --data {folder}/x.npy --steps 2"
        lines = [
            f"evaluate {folder}/run --measures quick",
            f"{train} --out {folder}/new",
            f"{train} --out {folder}/run --overwrite",
            f"resume {half}",
            f"generate {folder}/run --out {folder}/x.png",
        ]
        out, err = ended(start(name, *lines, program=("-c", PROBE)), 0)
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    codes = [line.split() for line in out.splitlines() if line.startswith("left ")]
    assert [(verb, code) for _, verb, _, code in codes] == [
        ("evaluate", "0"),
        ("train", "2"),
        ("train", "2"),
        ("resume", "2"),
        ("generate", "2"),
    ]
    warned, *message = err.split("ready\n")[1].splitlines()
    assert warned.startswith(f"warning: {folder}/run/metrics.json cannot be written")
    for line, path in zip(message, ("new", "run/run.lock", "half/run.lock", "x.png"), strict=True):
        assert line.startswith(f"error: {folder}/{path} cannot be written: Permission denied"), line

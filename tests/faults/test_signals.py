"""Ctrl-C and SIGTERM save and say how to go on; two trainings never share a folder."""

import os
import signal
from dataclasses import replace

import pytest
import torch

from autoencode.cli.main import main
from autoencode.errors import RunError
from autoencode.io.store import read_json, write_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train.checkpoint import checkpoints
from autoencode.train.trainer import Trainer

# Far more steps than the test waits for.
LONG = (
    "train vae --data digits --set network.hidden=[16] --steps 200000 --checkpoint-every 200 "
    "--validate-every 100000 --no-report --out run"
).split()


@pytest.mark.slow  # processes of their own
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_resuming_ends_it(start, ended, trains, tmp_path, number):
    """Until then the folder is taken; and another number of threads gets a warning."""
    process = start(*LONG, env={"OMP_NUM_THREADS": "2"})
    run = tmp_path / "run"
    trains(process, run, 200)
    for again in (lambda: resume(run), lambda: fit("ae", "digits", out=run, overwrite=True)):
        with pytest.raises(RunError, match=f"Another process is training in {run}"):
            again()
    process.send_signal(number)
    out, err = ended(process, 128 + number)
    assert out == ""
    assert err.startswith("note: Stopped at step ")
    assert err.endswith("everything is saved. Continue: autoencode resume run\n")
    assert err.count("\n") == 1

    stopped = open_run(run)
    step = stopped.summary["steps"]
    assert stopped.status == "interrupted"
    assert checkpoints(run / "state")[0].name == f"state-{step:09d}.safetensors"
    # Ended soon, where the test would else train for minutes.
    replace(stopped, settings={**stopped.settings, "steps": step + 5}).write()
    assert read_json(run / "environment.json")["threads"] == 2
    with pytest.warns(UserWarning, match="threads was 2 and is 1"):
        fitted = resume(run)
    assert fitted.summary["steps"] == step + 5
    assert open_run(run).status == "done"


def test_a_second_ctrl_c_stops_at_once(tmp_path, monkeypatch, capsys):
    """Whatever the first one was waiting for; the checkpoint before it is whole."""
    update, save = Trainer.update, Trainer.checkpoint

    def pressed(self):
        if self.step == 60:
            signal.raise_signal(signal.SIGINT)  # in this thread, at once
        return update(self)

    def pressed_again(self):
        if self.step == 61:
            signal.raise_signal(signal.SIGINT)  # in this thread, at once
        save(self)

    monkeypatch.chdir(tmp_path)
    short = "--steps 120 --checkpoint-every 50 --validate-every 120 --set network.hidden=[16]"
    line = f"train ae --data digits {short} --no-report --out run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "update", pressed)
        patch.setattr(Trainer, "checkpoint", pressed_again)
        with pytest.raises(SystemExit) as left:
            main(line.split())
    assert left.value.code == 130
    assert capsys.readouterr().err == "note: Interrupted.\n"
    names = [path.name for path in (tmp_path / "run" / "state").iterdir()]
    assert sorted(names) == ["state-000000000.safetensors", "state-000000050.safetensors"]
    resumed = resume("run").model.state_dict()
    whole = fit(
        RECIPES["ae"].set("network.hidden", (16,)),
        "digits",
        steps=120,
        checkpoint_every=50,
        validate_every=120,
    ).model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert load("run")


def test_ctrl_c_in_the_middle_of_a_file_leaves_no_part_of_it(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def pressed(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", pressed)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, {"new": 2})
    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]

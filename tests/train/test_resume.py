"""Resuming: the weights of a run that was cut short are those of one that was not, bit for bit."""

import filecmp
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import DataError, Interrupted, RunError
from autoencode.io.store import write_json
from autoencode.io.tensors import read_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.train import fit, resume
from autoencode.train import trainer as trainer_module
from autoencode.train.checkpoint import checkpoints
from autoencode.train.trainer import Trainer

# Dropout, batch statistics, posterior noise, clipping, early stopping, bf16: all that has a state.
CASES = {
    "plain": ("ae", {"network.hidden": (32,)}, {}),
    "dropout": ("ae-dropout", {"network.hidden": (32, 16)}, {"clip": 1.0, "warmup": 20}),
    "batch norm": ("ae-deep", {"network.hidden": (32,)}, {"precision": "bf16"}),
    "noise and early stop": ("vae", {"network.hidden": (32,)}, {"patience": 50, "lr": 1e-2}),
    "from PCA": ("ae", {"network.hidden": (32,), "network.linear": "pca"}, {"lr": 3e-3}),
    "convolution": ("conv-vae", {"network.width": 4}, {"weight_decay": 0.1, "accumulate": 2}),
    "average": ("ae-deep", {"network.hidden": (32,)}, {"ema": 0.9}),
    "critic": ("aae", {"network.hidden": (32,)}, {}),
    "code book": ("vq-vae", {"network.hidden": (32,), "sampler": None}, {}),
    "residual code books": ("rq-vae", {"network.hidden": (32,), "sampler": None}, {}),
    "relaxed codes": ("gumbel-vae", {"network.hidden": (32,), "sampler": None}, {}),
    "labels, noise, schedule": (
        "cvae",
        {
            "network.hidden": (32,),
            "corruption": "masking",
            "schedules.terms.kl.weight": (0.0, 100),
        },
        {},
    ),
}
QUICK = {"noise and early stop"}
STEPS = 120


def recipe_of(case):
    name, changes, settings = CASES[case]
    recipe = RECIPES[name]
    for address, value in changes.items():
        recipe = recipe.set(address, value)
    return recipe, {"steps": STEPS, "batch_size": 50, "checkpoint_every": 25, **settings}


def stop_at(monkeypatch, step, number=signal.SIGTERM):
    """The process gets a signal while it computes that step."""
    update = Trainer.update

    def signalled(self):
        if self.step == step:
            os.kill(os.getpid(), number)
        return update(self)

    monkeypatch.setattr(trainer_module.Trainer, "update", signalled)


def same(first, second):
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in QUICK else pytest.mark.long) for case in CASES]
)
def test_interrupted_and_resumed_equals_uninterrupted(case, digits, tmp_path, monkeypatch):
    recipe, settings = recipe_of(case)
    whole = fit(recipe, digits, out=tmp_path / "whole", **settings)
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted, match="autoencode resume") as caught:
        fit(recipe, digits, out=tmp_path / "cut", **settings)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    monkeypatch.undo()
    torch.manual_seed(12345)  # whatever the next process draws must not matter
    assert open_run(tmp_path / "cut").status == "interrupted"
    resumed = resume(tmp_path / "cut")
    assert same(resumed.model, whole.model)
    assert same(load(tmp_path / "cut"), whole.model)
    assert open_run(tmp_path / "cut").status == "done"
    logs = [
        [(line["step"], line.get("loss"), line.get("validation")) for line in open_run(p).log()]
        for p in (tmp_path / "whole", tmp_path / "cut")
    ]
    steps = [[step for step, *_ in log] for log in logs]
    assert steps[0] == steps[1], "no line twice, none missing"
    assert [line[2] for line in logs[0]] == [line[2] for line in logs[1]]


@pytest.mark.slow  # a map of the codes takes seconds
def test_a_prior_that_is_fitted_after_resuming_is_the_same(digits, tmp_path, monkeypatch):
    recipe = RECIPES["mog-vae"].set("network.hidden", (32,)).set("prior.after", 70)
    settings = {"steps": STEPS, "batch_size": 50, "checkpoint_every": 25}
    whole = fit(recipe, digits, **settings)
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, digits, out=tmp_path / "cut", **settings)
    monkeypatch.undo()
    assert same(resume(tmp_path / "cut").model, whole.model)
    unfitted = fit(recipe.set("prior.after", None), digits, **settings).model
    assert not same(unfitted, whole.model)


@pytest.mark.long
def test_bits_that_are_drawn_anew_are_the_same_after_resuming(tmp_path, monkeypatch):
    data = load_data("digits", binarise="dynamic")
    recipe, settings = recipe_of("plain")
    whole = fit(recipe, data, **settings)
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, data, out=tmp_path / "cut", **settings)
    monkeypatch.undo()
    assert same(resume(tmp_path / "cut").model, whole.model)


@pytest.mark.long
def test_uninterrupted_runs_differ_between_seeds_only(digits):
    recipe, settings = recipe_of("noise and early stop")
    first, again, other = (fit(recipe, digits, seed=s, **settings).model for s in (0, 0, 1))
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.long
def test_resume_falls_back_to_the_checkpoint_before_a_damaged_one(digits, tmp_path, monkeypatch):
    recipe, settings = recipe_of("plain")
    whole = fit(recipe, digits, **settings)
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, digits, out=tmp_path / "run", **settings)
    monkeypatch.undo()
    newest, before = checkpoints(tmp_path / "run" / "state")
    newest.write_bytes(newest.read_bytes()[:-100])
    (newest.parent / "state-000000099.safetensors.7.tmp").write_bytes(b"half a file")
    with pytest.warns(UserWarning, match=newest.name):
        resumed = resume(tmp_path / "run")
    assert same(resumed.model, whole.model)
    assert before.name < newest.name


def test_resume_refuses_when_no_checkpoint_is_whole(digits, tmp_path, monkeypatch):
    recipe, settings = recipe_of("plain")
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, digits, out=tmp_path / "run", **settings)
    monkeypatch.undo()
    for path in checkpoints(tmp_path / "run" / "state"):
        altered = bytearray(path.read_bytes())
        altered[-10] ^= 1
        path.write_bytes(altered)
    with pytest.raises(RunError, match="no complete checkpoint"):
        resume(tmp_path / "run")


def test_resume_refuses_changed_data(digits, tmp_path, monkeypatch):
    recipe, settings = recipe_of("plain")
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, digits, out=tmp_path / "run", **settings)
    monkeypatch.undo()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record["data"]["fingerprint"] = "0" * 64
    write_json(tmp_path / "run" / "run.json", record)
    with pytest.raises(DataError, match="fingerprint"):
        resume(tmp_path / "run")


def test_resume_warns_when_the_machine_has_changed(digits, tmp_path, monkeypatch):
    recipe, settings = recipe_of("plain")
    stop_at(monkeypatch, 60)
    with pytest.raises(Interrupted):
        fit(recipe, digits, out=tmp_path / "run", **settings)
    monkeypatch.undo()
    path = tmp_path / "run" / "environment.json"
    write_json(path, {**json.loads(path.read_text()), "threads": 64})
    with pytest.warns(UserWarning, match="threads was 64 and is 1"):
        resume(tmp_path / "run")


def test_resume_refuses_a_finished_run(digits, tmp_path):
    recipe, settings = recipe_of("plain")
    fit(recipe, digits, out=tmp_path / "run", **settings)
    with pytest.raises(RunError, match="is done"):
        resume(tmp_path / "run")
    assert not (tmp_path / "run" / "state").exists()


COMMAND = (
    "train vae --data digits --set network.hidden=[64] --steps 1500 --batch-size 50 "
    "--checkpoint-every 50 --no-report --precision float32"
).split()


def start(*arguments, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "autoencode", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_step(run, step, process):
    """Until the run has a checkpoint at or after `step`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = checkpoints(run / "state") if (run / "state").is_dir() else []
        if found and int(found[0].stem.removeprefix("state-")) >= step:
            return
        time.sleep(0.005)


def killed_again_and_again(tmp_path, kills, draw):
    """Starts a training, kills it `kills` times at random moments, and lets it end."""
    run = tmp_path / "cut"
    command = [*COMMAND, "--out", str(run)]
    count = 0
    while True:
        process = start(*command, cwd=tmp_path)
        if count < kills:
            wait_for_step(run, count * 1500 // (kills + 2), process)
            time.sleep(draw.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
        _, error = process.communicate(timeout=120)
        assert "Traceback" not in error, error
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, error
        count += 1
        command = ["resume", str(run), "--no-report"]
    return run, count


def uninterrupted(tmp_path, *options):
    process = start(*COMMAND, *options, "--out", str(tmp_path / "whole"), cwd=tmp_path)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return tmp_path / "whole"


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, 10])
def test_kill_minus_nine_at_random_moments(tmp_path, kills):
    whole = uninterrupted(tmp_path)
    cut, count = killed_again_and_again(tmp_path, kills, random.Random(kills))
    assert count == kills
    # The bytes, which the same tensors in the same order give.
    assert filecmp.cmp(whole / "weights.safetensors", cut / "weights.safetensors", shallow=False)


@pytest.mark.long
def test_the_same_training_in_two_processes_writes_the_same_bytes(tmp_path, monkeypatch):
    runs = []
    for hash_seed in ("1", "2"):
        (tmp_path / hash_seed).mkdir()
        monkeypatch.setenv("PYTHONHASHSEED", hash_seed)
        runs.append(uninterrupted(tmp_path / hash_seed, "--steps", "300"))
    assert filecmp.cmp(*(run / "weights.safetensors" for run in runs), shallow=False)


@pytest.mark.slow  # processes of their own
def test_kill_minus_nine_while_saving_leaves_a_whole_checkpoint(tmp_path):
    """A process that does nothing but save is killed at random moments; one file always loads."""
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from autoencode.io.tensors import write_tensors\n"
        "print('ready', flush=True)\n"
        "for n in range(10**6):\n"
        "    write_tensors(Path(sys.argv[1]), {'a': torch.full((200_000,), float(n))}, {'n': n})\n"
    )
    draw = random.Random(0)
    path = tmp_path / "state.safetensors"
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.02, 0.2))
        process.kill()
        process.wait()
        process.stdout.close()
        tensors, meta = read_tensors(path)
        assert (tensors["a"] == meta["n"]).all()

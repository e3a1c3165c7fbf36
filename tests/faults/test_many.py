"""Many trainings at once, interrupted: each is saved, and the same command goes on."""

import signal
import time

import pytest
import torch

from autoencode.models.run import load, open_run
from autoencode.train.checkpoint import checkpoints

QUICK = (
    "train vae --data digits --set network.hidden=[16] --steps 4000 --checkpoint-every 50 "
    "--compile off --validate-every 4000 --no-report"
).split()
ONE = {"OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_every_run_and_the_same_command_goes_on(start, ended, tmp_path, number):
    process = start(*QUICK, "--seeds", "2", "--out", "many")
    deadline = time.monotonic() + 60
    states = [tmp_path / "many" / f"seed-{seed}" / "state" for seed in range(2)]
    while not all(checkpoints(state)[1:] for state in states) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = ended(process, 128 + number)
    assert out == ""
    assert err == (
        "note: Stopped with 0 of 2 trainings done; everything is saved. "
        "Continue: the same command with --out many\n"
    )
    runs = [open_run(state.parent) for state in states]
    assert [each.status for each in runs] == ["interrupted"] * 2
    assert all(0 < each.summary["steps"] < 4000 for each in runs)

    out, err = ended(start(*QUICK, "--seeds", "2", "--out", "many"), 0)
    assert err == ""
    assert out.splitlines()[-1] == "compare  autoencode compare many/*"
    ended(start(*QUICK, "--seed", "1", "--out", "alone", env=ONE), 0)
    alone, many = (load(tmp_path / name).state_dict() for name in ("alone", "many/seed-1"))
    assert all(torch.equal(alone[name], many[name]) for name in alone)


@pytest.mark.slow
def test_a_second_signal_ends_all_at_once(start, ended, tmp_path):
    process = start(*QUICK, "--seeds", "2", "--out", "many")
    state = tmp_path / "many" / "seed-0" / "state"
    deadline = time.monotonic() + 60
    while not checkpoints(state) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = ended(process, 130)
    assert err.count("\n") == 1

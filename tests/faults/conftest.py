"""The command as a process of its own, with a bound on its time."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from autoencode.train.checkpoint import checkpoints

BOUND = 60


@pytest.fixture
def start(tmp_path) -> Iterator:
    """start("train", "ae") -> a running process in `tmp_path`; what still runs is killed."""
    running = []

    def started(*words, program=("-m", "autoencode"), env=None, stdout=subprocess.PIPE):
        process = subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=tmp_path,
            env={**os.environ, "AUTOENCODE_OFFLINE": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def ended():
    """ended(process) -> its standard error, after it has left with `code`."""

    def wait(process, code):
        out, err = process.communicate(timeout=BOUND)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    return wait


@pytest.fixture
def trains():
    """trains(process, run, step) waits until the run has a checkpoint at that step or later."""

    def wait(process, run, step):
        deadline = time.monotonic() + BOUND
        while time.monotonic() < deadline:
            found = checkpoints(run / "state") if (run / "state").is_dir() else []
            if found and int(found[0].stem.removeprefix("state-")) >= step:
                return
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        raise AssertionError("it does not begin to train")

    return wait

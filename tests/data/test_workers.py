"""Worker processes: results in order, a few tasks ahead, and an end in every case."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

import autoencode as ae
from autoencode.data.read.workers import WORKERS, Workers, in_a_worker
from autoencode.errors import DataError, ResourceError

pytestmark = pytest.mark.long


def square(i):
    time.sleep(0.02 * (i % 3))
    return i * i, in_a_worker(), os.getpid()


@pytest.mark.parametrize("n", [0, 1, 2, 7, 30])
def test_results_come_in_order(n):
    found = list(Workers(square, n, "squaring"))
    assert [value for value, _, _ in found] == [i * i for i in range(n)]
    assert all(inside for _, inside, _ in found)
    assert not in_a_worker()
    assert os.getpid() not in {process for _, _, process in found}


def test_only_a_few_tasks_are_ahead(tmp_path):
    def task(i):
        (tmp_path / str(i)).touch()
        return np.zeros(10)

    results = iter(Workers(task, 100, "waiting"))
    next(results)
    time.sleep(0.5)
    assert 1 < len(list(tmp_path.iterdir())) <= 2 * WORKERS + 1
    results.close()
    assert len(list(tmp_path.iterdir())) <= 2 * WORKERS + 1


def test_errors_of_a_task_are_those_of_the_caller():
    def refuse(i):
        raise DataError(f"Task {i} is bad", "Do another.")

    with pytest.raises(DataError, match=r"Task 0 is bad\. Do another"):
        list(Workers(refuse, 3, "refusing"))


def test_a_killed_process_is_a_sentence():
    def die(i):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ResourceError, match="A process that was dying was killed"):
        list(Workers(die, 3, "dying"))


SCRIPT = """
import sys, time
from autoencode.data.read.workers import Workers
workers = Workers(lambda i: time.sleep(0.1) or i, 1000, "sleeping")
print("begun", flush=True)
if sys.argv[1] == "wait":
    for _ in workers:
        pass
"""


@pytest.mark.parametrize(
    ("how", "number"),
    [("wait", signal.SIGKILL), ("wait", signal.SIGINT), ("wait", signal.SIGTERM), ("leave", None)],
)
def test_they_end_with_their_parent(how, number):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout.readline() == b"begun\n"
        family = psutil.Process(process.pid).children(recursive=True)
        if number is not None:
            process.send_signal(number)
        process.wait(timeout=20)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


AHEAD = """
import sys
from pathlib import Path
from autoencode.cli import used
from autoencode.data.read import decoding
decoding.MANY_FILES = 5
images = used._images(Path(sys.argv[1]), sys.argv[2], {})
assert images is not None and "torch" not in sys.modules
import multiprocessing
assert multiprocessing.active_children()
from autoencode.models.run import open_run
from autoencode.use.codes import write_codes
print(write_codes(open_run(sys.argv[1]).load_model(), images, sys.argv[3])[0])
"""


def test_images_are_read_before_torch_is_loaded(tmp_path):
    """By the verbs that use a model, of a folder with very many images; the codes are the same."""
    draw = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for i in range(12):
        image = draw.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(image).save(tmp_path / "images" / f"{i}.png")
    images, out = str(tmp_path / "images"), tmp_path / "ahead.csv"
    run = ae.fit("ae", images, latent=2, steps=2, out=tmp_path / "run", progress=False)
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, str(tmp_path / "run"), images, str(out)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "12\n", done.stderr
    from autoencode.use.codes import write_codes

    write_codes(run.model, images, tmp_path / "after.csv")
    assert out.read_text() == (tmp_path / "after.csv").read_text()

"""Many trainings in processes of this computer: what each of them is guaranteed."""

import os
import signal
import subprocess
import sys
import threading
import time
import types
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import cloudpickle
import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import Diverged, Interrupted, Pruned, ResourceError, RunError
from autoencode.io.store import read_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.scale import Job, fit_many
from autoencode.scale.cluster import connected
from autoencode.train import FitResult, fit, resume
from autoencode.train.checkpoint import checkpoints
from autoencode.train.trainer import Trainer

pytestmark = pytest.mark.long
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it
SMALL = RECIPES["vae"].set("network.hidden", (16,)).set("likelihood", "bernoulli")
BRITTLE = RECIPES["ae-linear"].set("network.hidden", (16, 16))
SETTINGS = {"steps": 40, "batch_size": 50, "checkpoint_every": 10}


@pytest.fixture(scope="module")
def two():
    """A client of two workers of this computer, for tests that leave them as they are."""
    with connected(None, 2) as client:
        yield client


def jobs_of(data, folder, seeds=range(3), recipe=SMALL, **settings):
    return [
        Job(recipe, data, folder / f"seed-{s}", {**SETTINGS, "seed": s, **settings}) for s in seeds
    ]


def same(first, second):
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def as_alone(job):
    """Whether the run of a job has the weights of `fit` alone with one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = fit(job.recipe, job.data, progress=False, **job.settings).model
    finally:
        torch.set_num_threads(before)
    return same(load(job.out), alone)


def memory_of(fitted: FitResult) -> tuple[int, bool]:
    """This process, and whether its training data are those of another's memory."""
    x = fitted.data.train.x
    maps = Path("/proc/self/maps").read_text().splitlines()
    ranges = [line for line in maps if "train.x" in line]
    within = [tuple(int(end, 16) for end in line.split()[0].split("-")) for line in ranges]
    return os.getpid(), any(low <= x.data_ptr() < high for low, high in within)


def test_side_by_side_is_as_each_alone(digits, tmp_path, two):
    """Also a run that is resumed there; and data that have no source."""
    jobs = jobs_of(digits, tmp_path / "runs", seeds=range(4))
    arrays = load_data((digits.train.x, digits.train.y))
    jobs.append(Job(SMALL, arrays, tmp_path / "runs" / "arrays", SETTINGS))
    update = Trainer.update

    def stopped(self):
        if self.step == 25:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", stopped)
        with pytest.raises(Interrupted):
            fit(SMALL, digits, out=jobs[2].out, **jobs[2].settings)
    before = torch.get_num_threads()
    outcomes = []
    found = fit_many(
        jobs, cluster=two, on_trained=memory_of, on_finished=outcomes.append, progress=False
    )
    assert [outcome.error for outcome in found] == [None] * 5
    assert sorted(str(o.job.out) for o in outcomes) == sorted(str(o.job.out) for o in found)
    assert len({outcome.result[0] for outcome in found}) == 2, "processes are kept"
    assert all(outcome.result[1] for outcome in found), "no copy of the data"
    for outcome in found:
        assert as_alone(outcome.job)
        assert read_json(outcome.job.out / "environment.json")["threads"] == 1
    assert torch.get_num_threads() == before
    left = {path.name for path in (tmp_path / "runs").iterdir()}
    assert left == {"arrays", *(f"seed-{n}" for n in range(4))}


def unforeseen(fitted: FitResult) -> None:
    raise ZeroDivisionError("of our own")


def warned(fitted: FitResult) -> str:
    warnings.warn("of the measurement", stacklevel=1)
    return "measured"


def pruned(step, values):
    raise Pruned("It was hopeless")


def test_one_that_fails_leaves_the_others_alone(digits, tmp_path, two):
    jobs = jobs_of(digits, tmp_path, seeds=range(4))
    jobs[2] = replace(jobs[2], recipe=BRITTLE, settings={**SETTINGS, "lr": 1e6, "steps": 2000})
    jobs[3] = replace(jobs[3], on_validation=pruned, settings={**SETTINGS, "validate_every": 10})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = fit_many(jobs, cluster=two, on_trained=warned, progress=False)
    texts = sorted(str(each.message) for each in said)
    assert [text.rpartition("/")[2] for text in texts] == [
        f"seed-{n}: of the measurement" for n in (0, 1)
    ]
    assert isinstance(found[2].error, Diverged)
    assert open_run(jobs[2].out).status == "diverged"
    assert isinstance(found[3].error, Pruned)
    assert [found[i].result for i in (0, 1)] == ["measured"] * 2
    with pytest.raises(RuntimeError, match="ZeroDivisionError: of our own"):
        fit_many(jobs[:2], cluster=two, on_trained=unforeseen, progress=False)


def test_callbacks_that_workers_cannot_have_are_refused(digits, tmp_path, two, monkeypatch):
    """They wait for no answer: a process that cannot read what it is sent does not give one."""
    module = types.ModuleType("only_here")
    exec("def called(*values): pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", module)
    jobs = jobs_of(digits, tmp_path, seeds=range(3))
    with pytest.raises(RunError, match="No module named 'only_here'") as caught:
        fit_many(jobs, cluster=two, on_trained=module.called, progress=False)
    assert "in a module that all workers can import" in caught.value.fix
    validated = [replace(job, on_validation=module.called) for job in jobs]
    with pytest.raises(RunError, match="cannot load on_validation"):
        fit_many(validated, cluster=two, progress=False)
    with pytest.raises(RunError, match="on_trained cannot be sent to other processes"):
        fit_many(jobs, cluster=two, on_trained=threading.Lock().acquire, progress=False)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setitem(validated[0].settings, "steps", 5)
    (found,) = fit_many(validated[:1], workers=1, on_trained=module.called, progress=False)
    assert found.error is None, "the fix"


def test_a_network_of_ones_own(tmp_path, digits, two, monkeypatch):
    (tmp_path / "nets.py").write_text(
        "import torch\n"
        "class Encoder(torch.nn.Sequential):\n"
        "    def __init__(self, sizes, features):\n"
        "        super().__init__(torch.nn.Flatten(), torch.nn.Linear(64, features))\n"
        "class Decoder(torch.nn.Sequential):\n"
        "    def __init__(self, sizes, channels):\n"
        "        super().__init__(torch.nn.Linear(2, 64), torch.nn.Unflatten(1, (1, 8, 8)))\n"
    )
    monkeypatch.chdir(tmp_path)
    jobs = jobs_of(digits, Path("runs"), recipe=RECIPES["ae"].set("network", "nets.py"))
    found = fit_many(jobs, cluster=two, progress=False)
    assert [outcome.run.status for outcome in found] == ["done"] * 3
    assert as_alone(jobs[1])


def killed_once(mark: Path, seed: int, fitted: FitResult) -> int:
    """The first time, the process dies, as where the system runs out of memory."""
    if fitted.run.settings["seed"] == seed and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def killed_always(seed: int, fitted: FitResult) -> int:
    if fitted.run.settings["seed"] == seed:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@pytest.mark.slow
def test_a_training_whose_process_always_dies_is_given_up(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path, seeds=range(5))
    found = fit_many(
        jobs, workers=2, retries=1, on_trained=partial(killed_always, 1), progress=False
    )
    assert isinstance(found[1].error, ResourceError)
    assert "as happens when memory runs out" in str(found[1].error)
    assert found[1].run.status == "done", "it was killed after that"
    assert all(isinstance(found[i].result, int) for i in (0, 2, 3, 4))


class KilledAt:
    """Kills the process of a training at its first validation, once."""

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, step, values):
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_training_whose_process_dies_goes_on_from_its_checkpoint(digits, tmp_path):
    jobs = jobs_of(digits, tmp_path / "runs", seeds=range(4), steps=60, validate_every=30)
    jobs[1] = replace(jobs[1], on_validation=KilledAt(tmp_path / "killed"))
    found = fit_many(jobs, workers=2, progress=False)
    assert (tmp_path / "killed").exists()
    assert [outcome.error for outcome in found] == [None] * 4
    assert all(as_alone(replace(job, on_validation=None)) for job in jobs)
    log = [line["step"] for line in open_run(jobs[1].out).log()]
    assert log == sorted(log)


SCRIPT = """
import autoencode as ae
from autoencode.scale import Job, fit_many
recipe = ae.RECIPES["vae"].set("network.hidden", (16,)).set("likelihood", "bernoulli")
jobs = [
    Job(recipe, ae.load_data("digits"), f"runs/{s}",
        {"seed": s, "steps": 200_000, "checkpoint_every": 50, "validate_every": 100_000,
         "compile": "off"})
    for s in range(3)
]
"""


def begun(folder, seeds, step=50):
    """Until these runs have a checkpoint at that step."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        states = [checkpoints(folder / str(seed) / "state") for seed in seeds]
        if all(found and int(found[0].stem[6:]) >= step for found in states):
            return
        time.sleep(0.02)
    raise AssertionError("they do not begin to train")


def children(pid):
    """The processes that a process has started, by their identity."""
    found = [
        int(word)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for word in (task / "children").read_text().split()
    ]
    return [*found, *(each for child in found for each in children(child))]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_no_process_outlives_the_one_that_started_it(tmp_path, number):
    """Ctrl-C goes to all processes of a terminal, SIGTERM to one; both save every run."""
    (tmp_path / "many.py").write_text(
        SCRIPT + "if __name__ == '__main__':\n    fit_many(jobs, workers=2)\n"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "many.py"],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    begun(tmp_path / "runs", (0, 1))
    started = children(process.pid)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, error = process.communicate(timeout=40)
    deadline = time.monotonic() + 60
    while any(map(alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, started))
    assert not (tmp_path / "runs" / "2").exists()
    statuses = [open_run(tmp_path / "runs" / s).status for s in "01"]
    if number == signal.SIGKILL:
        assert statuses == ["running"] * 2, "they go on from their checkpoints"
    else:
        assert statuses == ["interrupted"] * 2
        assert "Stopped with 0 of 3 trainings done; everything is saved" in error
        assert list(scratch.glob("autoencode-*")) == []
        lines = error.strip().splitlines()
        assert "distributed" not in "".join(line for line in lines if "File" not in line)
    run = open_run(tmp_path / "runs" / "0")
    last = int(checkpoints(run.folder / "state")[0].stem[6:])
    replace(run, settings={**run.settings, "steps": last + 5}).write()
    assert resume(run.folder, progress=False).run.status == "done"


class Endless:
    """A measurement that takes a minute, and says that it has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, fitted: FitResult) -> None:
        (self.path / f"begun-{fitted.run.folder.name}").touch()
        time.sleep(60)
        (self.path / f"ended-{fitted.run.folder.name}").touch()


def interrupt(path, count):
    """Ctrl-C when so many measurements have begun."""

    def wait():
        deadline = time.monotonic() + 50
        while len(list(path.glob("begun-*"))) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_does_not_wait_for_measurements(digits, tmp_path, workers):
    """Their models are saved, and the same call measures them."""
    jobs = jobs_of(digits, tmp_path / "runs", seeds=range(3))
    thread = interrupt(tmp_path, workers)
    with pytest.raises(Interrupted, match="not measured; everything is saved") as caught:
        fit_many(jobs, workers=workers, on_trained=Endless(tmp_path), progress=False)
    assert list(tmp_path.glob("ended-*")) == []
    thread.join()
    assert caught.value.exit_code == 128 + signal.SIGINT
    assert f"{workers} of 3 trainings done, {workers} of them" in caught.value.what
    assert [open_run(job.out).status for job in jobs[:workers]] == ["done"] * workers
    assert not jobs[2].out.exists()
    before = [(job.out / "weights.safetensors").stat().st_mtime_ns for job in jobs[:workers]]
    found = fit_many(jobs, workers=1, on_trained=memory_of, progress=False)
    assert all(outcome.result is not None for outcome in found)
    after = [(job.out / "weights.safetensors").stat().st_mtime_ns for job in jobs[:workers]]
    assert before == after, "they were not trained again"


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(tmp_path):
    (tmp_path / "many.py").write_text(
        SCRIPT + "try:\n    fit_many(jobs, workers=2)\n"
        "except ae.AutoencodeError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "many.py"], cwd=tmp_path, capture_output=True, text=True, timeout=90
    )
    assert done.stderr == ""
    assert done.stdout.endswith('Put the call under: if __name__ == "__main__":\n')
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_nothing_answers_at_an_address(digits, tmp_path, monkeypatch):
    monkeypatch.setattr("autoencode.scale.cluster.CONNECT_SECONDS", 1)
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:1", "nonsense", "ftp://127.0.0.1:1", ""):
        with pytest.raises(RunError, match="No Dask scheduler answers") as caught:
            fit_many(jobs_of(digits, tmp_path), cluster=address, progress=False)
        assert "dask scheduler" in caught.value.fix
    assert list(tmp_path.iterdir()) == []

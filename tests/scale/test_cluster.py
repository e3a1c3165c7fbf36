"""Many trainings on a cluster that Dask's own commands have started."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import Diverged, Interrupted, RunError
from autoencode.io.store import read_json
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import load, open_run
from autoencode.scale import Job, fit_many
from autoencode.scale.cluster import connected
from autoencode.train import fit
from autoencode.train.progress import last_step

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="uses mount namespaces and /proc"),
]
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import it
SMALL = RECIPES["vae"].set("network.hidden", (16,)).set("likelihood", "bernoulli")
SETTINGS = {"steps": 300, "batch_size": 50, "checkpoint_every": 25, "validate_every": 300}
DASK = [sys.executable, "-m", "dask"]
# Hides the file system of the client: these folders are empty in the namespace of the worker.
HIDDEN = """
set -e
for folder in "$HIDE_A" "$HIDE_B"; do mount -t tmpfs none "$folder"; done
exec "$@"
"""


def namespaces():
    """Whether mount namespaces can be made here."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True)
    return done.returncode == 0


class Cluster:
    """A scheduler and workers, in processes.   address: of the scheduler."""

    def __init__(self, folder):
        self.folder, self.processes, self.workers = folder, [], []
        self.address = ""

    def start(self, *words, env=(), prefix=()):
        log = (self.folder / f"log-{len(self.processes)}").open("w")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **dict(env)}
        process = subprocess.Popen(
            [*prefix, *DASK, *words],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=self.folder,
            start_new_session=True,
        )
        log.close()
        self.processes.append(process)
        return process, Path(log.name)

    def scheduler(self):
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        process, log = self.start(*words)
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            if found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text()):
                self.address = found[1]
                return
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def worker(self, hidden=(), count=1):
        own = self.folder / f"worker-{len(self.workers)}"
        own.mkdir()
        prefix, env = [], {"TMPDIR": str(own)}
        if hidden:
            prefix = ["unshare", "--mount", "sh", "-c", HIDDEN, "hidden"]
            env |= {"HIDE_A": str(hidden[0]), "HIDE_B": str(hidden[1])}
        words = ["worker", self.address, "--host", "127.0.0.1", "--nthreads", "1"]
        words += ["--no-dashboard", "--local-directory", str(own), "--memory-limit", "0"]
        words += ["--nworkers", str(count)]
        self.workers.append(self.start(*words, env=env, prefix=prefix))

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.scheduler()
    yield cluster
    cluster.stop()


@pytest.fixture
def hidden(tmp_path, monkeypatch):
    """The folders of runs and of temporary files of this process, for workers that see neither."""
    if not namespaces():
        pytest.skip("mount namespaces cannot be made here")
    folders = tmp_path / "runs", tmp_path / "shared"
    for folder in folders:
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folders[1]))
    return folders


def as_alone(job):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = fit(job.recipe, job.data, progress=False, **job.settings).model.state_dict()
    finally:
        torch.set_num_threads(before)
    kept = load(job.out).state_dict()
    return kept.keys() == alone.keys() and all(torch.equal(kept[k], alone[k]) for k in kept)


@pytest.mark.parametrize("count", [7, pytest.param(24, marks=pytest.mark.slow)])
def test_three_workers_two_of_which_do_not_see_the_files(cluster, hidden, count):
    """All runs come back bit for bit, also with a worker that is killed on the way."""
    runs, shared = hidden
    cluster.worker()
    for _ in range(2):
        cluster.worker(hidden)
    arrays = load_data((load_data("digits").train.x[:900], load_data("digits").train.y[:900]))
    jobs = [
        Job(SMALL, data, runs / f"{n:02d}", {**SETTINGS, "seed": n})
        for n, data in zip(range(count), [load_data("digits"), arrays] * count, strict=False)
    ]
    own = Path("/proc/self/ns/mnt").readlink()
    with connected(cluster.address, 0) as client:
        client.wait_for_workers(3, 60)
        processes = client.run(os.getpid).values()
    hidden = [pid for pid in processes if Path(f"/proc/{pid}/ns/mnt").readlink() != own]
    assert len(hidden) == 2
    killed = []

    def kill(outcome):
        if not killed:
            killed.append(hidden[0])
            os.kill(hidden[0], signal.SIGKILL)

    found = fit_many(jobs, cluster=cluster.address, on_finished=kill, progress=False)
    assert killed
    assert [outcome.error for outcome in found] == [None] * count
    assert [outcome.run.status for outcome in found] == ["done"] * count
    for job in jobs:
        assert as_alone(job)
    assert sorted(path.name for path in runs.iterdir()) == [job.out.name for job in jobs]
    assert list(shared.iterdir()) == []


def test_interrupted_runs_come_back_and_go_on(cluster, hidden):
    """From a worker that does not see the folder of the runs."""
    runs, _ = hidden
    cluster.worker(hidden)
    with connected(cluster.address, 0) as client:
        client.wait_for_workers(1, 60)
    settings = {**SETTINGS, "steps": 1_000_000, "compile": "off"}
    job = Job(SMALL, load_data("digits"), runs / "a", settings)
    steps = [0]

    def stop():
        """When the worker, in its own temporary folder, is further than before."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            found = [last_step(path) for path in cluster.folder.glob("worker-0/**/autoencode-*/a")]
            if max(found, default=0) > steps[-1] + 100:
                break
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    for _ in range(2):
        thread = threading.Thread(target=stop)
        thread.start()
        with pytest.raises(Interrupted, match="0 of 1 trainings done"):
            fit_many([job], cluster=cluster.address, progress=False)
        thread.join()
        assert open_run(runs / "a").status == "interrupted"
        steps.append(last_step(runs / "a"))
    assert steps == sorted(set(steps)), "it went on"
    log = [line["step"] for line in open_run(runs / "a").log()]
    assert log == sorted(set(log))


def test_runs_and_errors_from_elsewhere_name_what_is_here(cluster, hidden, monkeypatch):
    runs, _ = hidden
    monkeypatch.setattr("sys.argv", ["study.py", "--seeds", "2"])
    cluster.worker(hidden)
    digits, short = load_data("digits"), {**SETTINGS, "steps": 25}
    jobs = [
        Job(SMALL, digits, runs / "good", short),
        Job(SMALL, digits, runs / "bad", {**short, "lr": 1e6, "clip": None}),
    ]
    good, bad = fit_many(jobs, cluster=cluster.address, progress=False)
    assert read_json(good.run.folder / "environment.json")["command"] == "study.py --seeds 2"
    assert isinstance(bad.error, Diverged)
    assert "autoencode-" not in str(bad.error), "the temporary folder of the worker"


class KilledAt:
    """Records the steps of the validations, and kills the process at one of them, once."""

    def __init__(self, path, step):
        self.path, self.step = path, step

    def __call__(self, step, values):
        with self.path.open("a") as file:
            file.write(f"{step}\n")
        if self.path.read_text().split().count(str(self.step)) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def steps(self):
        return [int(line) for line in self.path.read_text().split()]


def test_a_training_goes_on_from_its_checkpoint_without_the_folder(cluster, hidden, tmp_path):
    """Its worker is killed, and its checkpoints have gone to the scheduler."""
    runs, _ = hidden
    cluster.worker(hidden, count=2)
    killed = KilledAt(tmp_path / "steps", 150)
    job = Job(SMALL, load_data("digits"), runs / "a", {**SETTINGS, "validate_every": 50})
    with connected(cluster.address, 0) as client:
        client.wait_for_workers(2, 60)
        found = fit_many([replace(job, on_validation=killed)], cluster=client, progress=False)
        left = client.run_on_scheduler(lambda dask_scheduler: runs_in(dask_scheduler))
    assert found[0].error is None
    assert killed.steps() == [50, 100, 150, 150, 200, 250, 300], "from step 125"
    assert as_alone(job)
    log = [line["step"] for line in open_run(job.out).log()]
    assert log == sorted(log)
    assert left == [], "nothing is left in the scheduler"


class Endless:
    """A measurement that takes a minute, and says that it has begun and ended."""

    def __init__(self, path):
        self.path = path

    def __call__(self, fitted):
        with self.path.open("a") as file:
            file.write("begun\n")
            file.flush()
            time.sleep(60)
            file.write("ended\n")


def seed_of(fitted):
    return fitted.summary["steps"]


def test_ctrl_c_takes_what_is_trained_without_the_folder(cluster, hidden, tmp_path):
    """While it is measured; the same call measures it, and does not train it again."""
    runs, _ = hidden
    cluster.worker(hidden)
    mark = tmp_path / "mark"

    def stop():
        end = time.monotonic() + 50
        while time.monotonic() < end and not (mark.exists() and mark.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=stop)
    job = Job(SMALL, load_data("digits"), runs / "a", {**SETTINGS, "steps": 100})
    with connected(cluster.address, 0) as client:
        client.wait_for_workers(1, 60)
    thread.start()
    with pytest.raises(Interrupted, match="1 of 1 trainings done, 1 of them not measured"):
        fit_many([job], cluster=cluster.address, on_trained=Endless(mark), progress=False)
    thread.join()
    assert mark.read_text() == "begun\n"
    assert open_run(job.out).status == "done"
    assert as_alone(job)
    (found,) = fit_many([job], workers=1, on_trained=seed_of, progress=False)
    assert found.result == 100


def runs_in(scheduler):
    return list(scheduler.extensions["variables"].variables)


def test_workers_that_are_closed_leave_the_data_to_the_others(cluster, hidden):
    """Two workers on a host that does not see the files; the first one is closed on the way."""
    runs, shared = hidden
    cluster.worker(hidden, count=2)
    arrays = load_data((load_data("digits").train.x[:900], load_data("digits").train.y[:900]))
    first = load_data("digits")
    long = {**SETTINGS, "steps": 3000, "compile": "off", "validate_every": 3000}
    jobs = [Job(SMALL, first, runs / "0", SETTINGS), Job(SMALL, first, runs / "long", long)]
    # Data that the other worker has not yet read when the first one is closed.
    jobs += [Job(SMALL, arrays, runs / str(n), {**SETTINGS, "seed": n}) for n in (2, 3)]
    closed = []
    with connected(cluster.address, 0) as client:
        client.wait_for_workers(2, 60)
        processes = client.run(os.getpid)

        def close(outcome):
            if not closed:
                busy = [address for address, each in client.processing().items() if each]
                closed.extend(busy[:1])
                client.retire_workers(closed)

        found = fit_many(jobs, cluster=client, on_finished=close, progress=False)
    assert closed
    assert [outcome.error for outcome in found] == [None] * 4
    assert all(as_alone(job) for job in jobs)
    (left,) = (pid for address, pid in processes.items() if address not in closed)
    assert list(Path(f"/proc/{left}/root{shared}").iterdir()) == []
    assert sorted(path.name for path in runs.iterdir()) == ["0", "2", "3", "long"]


def test_a_lost_scheduler_is_told(cluster, tmp_path):
    cluster.worker()
    job = Job(
        SMALL,
        load_data("digits"),
        tmp_path / "a",
        {**SETTINGS, "steps": 1_000_000, "compile": "off"},
    )

    def kill():
        end = time.monotonic() + 60
        while time.monotonic() < end and last_step(tmp_path / "a") < 50:
            time.sleep(0.1)
        os.killpg(cluster.processes[0].pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(RunError, match="was lost") as caught:
        fit_many([job], cluster=cluster.address, progress=False)
    thread.join()
    assert "give the same again" in caught.value.fix
    # The worker notices that nobody waits for it, and saves.
    end = time.monotonic() + 60
    while time.monotonic() < end and open_run(tmp_path / "a").status == "running":
        time.sleep(0.2)
    assert open_run(tmp_path / "a").status == "interrupted"


def test_a_cluster_without_workers_can_be_left(cluster, tmp_path, monkeypatch):
    job = Job(SMALL, load_data("digits"), tmp_path / "a", SETTINGS)
    said = []

    def say(text):
        said.append(text)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("autoencode.scale.dispatch.say", say)
    with pytest.raises(Interrupted, match="0 of 1 trainings done"):
        fit_many([job], cluster=cluster.address, progress=False)
    assert len(said) == 1
    assert said[0].startswith("waiting for workers of the cluster")


CLIENT = """
import sys
import autoencode as ae
from autoencode.scale import Job, fit_many

if __name__ == "__main__":
    recipe = ae.RECIPES["vae"].set("network.hidden", (16,)).set("likelihood", "bernoulli")
    settings = {"steps": 1_000_000, "checkpoint_every": 25, "validate_every": 500_000,
                "compile": "off"}
    fit_many([Job(recipe, ae.load_data("digits"), "a", settings)], cluster=sys.argv[1])
"""


@pytest.mark.slow
def test_a_training_whose_client_is_killed_is_saved(cluster, tmp_path):
    """And its worker is free for the next one."""
    cluster.worker()
    (tmp_path / "client.py").write_text(CLIENT)
    with subprocess.Popen([sys.executable, "client.py", cluster.address], cwd=tmp_path) as client:
        end = time.monotonic() + 60
        while time.monotonic() < end and last_step(tmp_path / "a") < 50:
            time.sleep(0.1)
        client.kill()
    end = time.monotonic() + 30
    while time.monotonic() < end and open_run(tmp_path / "a").status == "running":
        time.sleep(0.2)
    assert open_run(tmp_path / "a").status == "interrupted"
    job = Job(SMALL, load_data("digits"), tmp_path / "b", SETTINGS)
    assert fit_many([job], cluster=cluster.address, progress=False)[0].run.status == "done"

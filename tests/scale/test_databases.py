"""Sweeps whose trials are in a real PostgreSQL server, and databases that are lost."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import autoencode as ae
from autoencode.errors import RunError
from autoencode.io.store import read_json
from autoencode.models.recipes.table import RECIPES
from autoencode.scale import search

optuna = pytest.importorskip("optuna")
pytest.importorskip("psycopg")
pytestmark = pytest.mark.long

SMALL = RECIPES["ae"].set("network.hidden", (8,)).set("likelihood", "gaussian")
SETTINGS = {"steps": 40, "batch_size": 50, "validate_every": 20, "compile": "off"}
VARY = {"latent": "2..6", "lr": "1e-4..1e-2:log"}
# The same sweep in a process of its own.
SWEEP = f"""
import sys
import autoencode as ae
from autoencode.models.recipes.table import RECIPES

if __name__ == "__main__":
    out, storage, trials, workers = sys.argv[1:]
    recipe = RECIPES["ae"].set("network.hidden", (8,)).set("likelihood", "gaussian")
    ae.sweep(recipe, "digits", vary={VARY}, out=out, storage=storage or None, trials=int(trials),
             workers=int(workers), **{SETTINGS})
"""


class Server:
    """A PostgreSQL server of a folder, on a free port of this computer.   url: of its database."""

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"postgresql://sweeper@127.0.0.1:{self.port}/postgres"
        self.run("initdb", "--auth=trust", "--username=sweeper", "--no-sync")

    def run(self, program, *options):
        words = [str(self.programs / program), "-D", str(self.folder), *options]
        if os.geteuid() == 0:  # the server refuses to run as root
            words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *words]
        subprocess.run(words, check=True, capture_output=True, cwd="/", timeout=60)

    def start(self):
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= "
        log = str(self.folder / "log")
        self.run("pg_ctl", "-w", "-l", log, "-o", settings + "-c fsync=off", "start")

    def stop(self):
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def server():
    found = [Path(program).resolve().parent for program in [shutil.which("pg_ctl")] if program]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        pytest.skip("no PostgreSQL server is installed (apt-get install postgresql)")
    # Not in a folder of pytest, which only its user may enter.
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        server = Server(found[-1], Path(folder) / "data")
        server.start()
        yield server
        with suppress(subprocess.CalledProcessError):  # it was stopped by a test that failed
            server.stop()


def swept(out, storage, trials, **options):
    return ae.sweep(
        SMALL, "digits", vary=VARY, out=out, storage=storage, trials=trials, **SETTINGS, **options
    )


def killed_after(finished, out, storage, trials, workers, tmp_path):
    """Starts a sweep in a process, and kills it when so many trials are finished."""
    script = tmp_path / "sweep.py"
    script.write_text(SWEEP)
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    words = [sys.executable, script, out, storage or "", str(trials), str(workers)]
    end = time.monotonic() + 120
    with subprocess.Popen(words, env=env, start_new_session=True) as process:
        while process.poll() is None and time.monotonic() < end:
            if len([trial for trial in trials_of(out, storage) if trial[1] == "done"]) >= finished:
                break
            time.sleep(0.05)
        assert process.poll() is None, "it was killed before its end"
        process.kill()
    # Workers notice that their parent is gone.
    while Path(f"/proc/{process.pid}").exists() and time.monotonic() < end:
        time.sleep(0.1)


def trials_of(out, storage):
    """(folder, status) of the runs of trials."""
    folders = sorted(out.glob("trials/*/run.json"))
    return [(path.parent.name, read_json(path).get("status")) for path in folders]


def stored(out, storage):
    url = storage or f"sqlite:///{out / 'sweep.db'}"
    name = read_json(out / "sweep.json")["study"]
    database = optuna.storages.RDBStorage(url)
    trials = optuna.load_study(study_name=name, storage=database).trials
    database.remove_session()
    database.engine.dispose()
    return trials


def check(found, trials, out, storage):
    """Every trial is there once, and the best one is what its settings give."""
    assert [trial.number for trial in found.trials] == list(range(trials))
    assert {trial.state for trial in found.trials} <= {"complete", "pruned"}
    assert len({tuple(trial.values.items()) for trial in found.trials}) == trials
    kept = stored(out, storage)
    assert [trial.number for trial in kept] == list(range(trials))
    assert all(trial.state.is_finished() for trial in kept)
    assert len(list((out / "trials").iterdir())) == trials
    best = found.best[0]
    complete = [t.metrics["squared_error"] for t in found.trials if t.state == "complete"]
    assert best.metrics["squared_error"] == min(complete)
    alone = ae.fit(best.recipe, "digits", progress=False, **best.settings)
    kept, again = best.runs[0].load_model().state_dict(), alone.model.state_dict()
    assert all(torch.equal(kept[name], again[name]) for name in again)


@pytest.mark.parametrize("trials", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_a_sweep_in_postgresql_that_was_killed(server, tmp_path, trials):
    out = tmp_path / "sweep"
    killed_after(3, out, server.url, trials, 1, tmp_path)
    finished = sum(trial.state.is_finished() for trial in stored(out, server.url))
    assert 0 < finished < trials
    check(swept(out, server.url, trials, workers=1), trials, out, server.url)
    assert server.url in (out / "sweep.json").read_text()


def test_a_server_that_is_lost_and_comes_back(server, tmp_path, monkeypatch):
    out, stopped = tmp_path / "sweep", []

    def line(text):
        if "trial 1," in text and not stopped:
            stopped.append(text)
            server.stop()

    monkeypatch.setitem(search.run_sweep.__kwdefaults__, "on_line", line)
    with pytest.raises(RunError, match="was lost") as caught:
        swept(out, server.url, 4, workers=1)
    assert "give the same again" in caught.value.fix
    assert "Traceback" not in caught.value.what
    with pytest.raises(RunError, match="cannot be opened"):
        swept(out, server.url, 4, workers=1)
    server.start()
    check(swept(out, server.url, 4, workers=1), 4, out, server.url)


def test_a_server_that_was_started_anew_between_two_trials(server, tmp_path, monkeypatch):
    out = tmp_path / "sweep"

    def line(text):
        if "trial 0," in text:
            server.stop()
            server.start()

    monkeypatch.setitem(search.run_sweep.__kwdefaults__, "on_line", line)
    check(swept(out, server.url, 3, workers=1), 3, out, server.url)


@pytest.mark.slow
def test_fifty_trials_on_two_workers_that_were_killed(tmp_path):
    out = tmp_path / "sweep"
    killed_after(11, out, None, 50, 2, tmp_path)
    check(swept(out, None, 50, workers=2), 50, out, None)


def test_a_file_that_becomes_damaged(tmp_path, monkeypatch):
    out = tmp_path / "sweep"

    def line(text):
        if "trial 0," in text:
            (out / "sweep.db").write_bytes(b"no database" * 1000)

    monkeypatch.setitem(search.run_sweep.__kwdefaults__, "on_line", line)
    with pytest.raises(RunError, match=r"sweep\.db was lost") as caught:
        swept(out, None, 3, workers=1)
    assert str(out) in caught.value.fix


@pytest.mark.parametrize(
    ("module", "fix"),
    [
        ("psycopg", "'psycopg[binary]'"),
        ("psycopg2", "psycopg2-binary"),
        ("MySQLdb", "mysqlclient"),
        ("pymysql", "pymysql"),
    ],
)
def test_a_driver_that_is_not_installed(tmp_path, monkeypatch, module, fix):
    monkeypatch.setitem(sys.modules, module, None)
    kind = "mysql" if "sql" in module.lower() and "psy" not in module else "postgresql"
    url = f"{kind}+{module.lower()}://nobody:secret@127.0.0.1:1/none"
    with pytest.raises(RunError, match=f"needs {module}, which") as caught:
        swept(tmp_path / "sweep", url, 2)
    assert caught.value.fix == f"Install it: pip install {fix}"
    assert "secret" not in caught.value.what

"""Pipes and devices in the place of the files of a run: every verb ends, and says why."""

import os
import shutil
import signal
from contextlib import contextmanager

import pytest

from autoencode.cli.main import main
from autoencode.evaluation import MetricsCache, evaluate
from autoencode.io.store import write_json
from autoencode.models.recipes.table import RECIPES
from autoencode.train import fit

SECONDS = 60  # more than any verb takes here


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):
    """A finished run, and one like it that is to be resumed."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = RECIPES["ae"].set("network.hidden", (8,))
    for name in ("done", "half"):
        fitted = fit(
            recipe, digits, out=folder / name, steps=4, snapshots=2, latent=2, progress=False
        )
        cache = MetricsCache(fitted.run)
        metrics = evaluate(fitted.model, digits, ("reconstruction",), cache)
        write_json(folder / name / "metrics.json", metrics.to_dict())
    run_json = folder / "half" / "run.json"
    run_json.write_text(run_json.read_text().replace('"done"', '"interrupted"'))
    return folder


@contextmanager
def alarm(seconds):
    """Fails what waits for longer."""

    def fail(*_):
        raise AssertionError(f"waits for more than {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.long
@pytest.mark.parametrize("make", [pipe, device])
@pytest.mark.parametrize(
    ("file", "codes"),
    [
        ("run.json", {"evaluate": 2, "resume": 2, "generate": 2, "explore": 2}),
        ("recipe.json", {"evaluate": 2, "resume": 2, "generate": 2, "explore": 2}),
        ("weights.safetensors", {"evaluate": 2, "resume": 2, "generate": 2, "explore": 2}),
        ("log.jsonl", {"evaluate": 0, "resume": 2, "generate": 0, "explore": 0}),
        ("environment.json", {"evaluate": 0, "resume": 2, "generate": 0, "explore": 0}),
        ("metrics.json", {"evaluate": 0, "resume": 2, "generate": 0, "explore": 0}),
        (
            "evaluation/reconstruction.safetensors",
            {"evaluate": 0, "resume": 2, "generate": 0, "explore": 0},
        ),
        (
            "snapshots/000000004.safetensors",
            {"evaluate": 0, "resume": 2, "generate": 0, "explore": 2},
        ),
        ("run.lock", {"evaluate": 2, "resume": 2, "generate": 0, "explore": 0}),
        ("state/state-000000003.safetensors", {"evaluate": 0, "resume": 2, "generate": 0}),
    ],
)
def test_no_verb_waits_for_a_pipe_or_a_device(
    runs, tmp_path, monkeypatch, capsys, file, codes, make
):
    monkeypatch.chdir(tmp_path)
    for name in ("done", "half"):
        shutil.copytree(runs / name, tmp_path / name)
        path = tmp_path / name / file
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        make(path)
    lines = {
        "evaluate": "evaluate done --measures reconstruction",
        "resume": "resume half",
        "generate": "generate done --out a.png",
        "explore": "explore done --html a.html --points 20",
    }
    for verb, code in codes.items():
        with alarm(SECONDS), pytest.raises(SystemExit) as end:
            main(lines[verb].split())
        said = capsys.readouterr().err
        assert end.value.code == code, (verb, said)
        assert said.count("error: ") == (code == 2), (verb, said)

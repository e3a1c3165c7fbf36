"""Run folders whose files are damaged, replaced or made to harm, under what reads them."""

import json
import math
import os
import shutil
import signal
import socket
import warnings
from contextlib import suppress

import pytest
import torch
from hypothesis import strategies as st
from safetensors.torch import save_file

from autoencode.data import Split, load_data
from autoencode.errors import AutoencodeError, Interrupted
from autoencode.evaluation import MetricsCache, evaluate, projected, saved_projection
from autoencode.evaluation.compare.run_records import RunRecord, check_trials, names_of
from autoencode.evaluation.headlines import headlines, pca_advice
from autoencode.evaluation.saved import read_metrics
from autoencode.io import store
from autoencode.io import tensors as tensors_io
from autoencode.io.folders import check_replaceable
from autoencode.models.describe import formula, papers, slots
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.models.snapshots import load_snapshot, snapshots_of
from autoencode.report import write_card
from autoencode.report.figures.base import ReportContext
from autoencode.report.figures.training_curves import TrainingCurves
from autoencode.report.figures.training_progress import TrainingProgress
from autoencode.report.pages.details import (
    error_details,
    headline_details,
    metric_groups,
    metrics_table,
    model_details,
)
from autoencode.scale.jobs import Job, existing_run
from autoencode.train import fit
from autoencode.train.progress import last_step
from autoencode.train.run_folder import locked
from autoencode.train.session import _warn_of_changes, resumed_session
from autoencode.train.trainer import Trainer

pytestmark = pytest.mark.long

SETTINGS = {"steps": 6, "batch_size": 20, "validate_every": 3, "checkpoint_every": 2}
TABLE = "a,b,c\n" + "".join(f"{i % 7},{i * i % 11},{'xyz'[i % 3]}\n" for i in range(60))


@pytest.fixture(scope="module")
def small_digits(digits):
    """The digits, of which the test part has 30, so that measuring is quick."""
    test = Split(digits.test.x[:30], digits.test.y[:30])
    return digits.__class__(**{**vars(digits), "test": test, "fingerprint": "small digits"})


@pytest.fixture(scope="module")
def runs(small_digits, tmp_path_factory):
    """A finished run on images, one on a table, and an interrupted one: name -> folder."""
    folder = tmp_path_factory.mktemp("runs")
    update = Trainer.update

    def stopped(self):
        if self.step == 4:
            self.interrupt(signal.SIGTERM)
        return update(self)

    recipe = RECIPES["vae"].set("network.hidden", (8,)).but(latent=2)
    done = fit(recipe, small_digits, out=folder / "done", progress=False, snapshots=2, **SETTINGS)
    projected(done.run, small_digits, done.model, "pca")
    (folder / "table.csv").write_text(TABLE)
    table = load_data(folder / "table.csv")
    rows = fit(recipe, table, out=folder / "rows", progress=False, **SETTINGS)
    for each in (done, rows):
        metrics = evaluate(each.model, each.data, cache=MetricsCache(each.run)).to_dict()
        store.write_json(each.run.folder / "metrics.json", metrics)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "update", stopped)
        with pytest.raises(Interrupted):
            fit(recipe, small_digits, out=folder / "half", progress=False, **SETTINGS)
    return {"done": folder / "done", "rows": folder / "rows", "half": folder / "half"}


@pytest.fixture(scope="module")
def copies(runs, tmp_path_factory):
    """copies("done") -> a fresh copy of a run, in the same place each time."""
    place = tmp_path_factory.mktemp("copies") / "run"

    def copied(name):
        shutil.rmtree(place, ignore_errors=True)
        return shutil.copytree(runs[name], place, symlinks=True)

    return copied


@pytest.fixture(scope="module")
def read(small_digits, runs):
    """read(folder): all that is made of a run; each is tried, whatever is refused before."""
    table = load_data(runs["rows"].parent / "table.csv")

    def used(folder):
        run = open_run(folder)
        data = table if run.preprocessing and run.preprocessing.is_table else small_digits
        record = RunRecord(run, 1, "", {})
        context = ReportContext(run, data, None, {})

        def drawn(kind):
            figure = kind.for_run(context)
            if figure is not None:
                figure.table(), figure.findings(), figure.caption(), figure.alt()
            return figure

        def measured():
            model = run.load_model()
            evaluate(model, data, ("reconstruction",), MetricsCache(run))
            metrics = read_metrics(run, len(data.test)) or {}
            headline_details(run, model, metrics)
            error_details(run, metrics)
            metric_groups(metrics), metrics_table(metrics)
            headlines(run.recipe, metrics), pca_advice(run.recipe, metrics)

        def resumed():
            with locked(run.folder):
                session = resumed_session(run, data, False)
                session.trainer.restore()
                _warn_of_changes(run)
                with session.trainer._open_log():
                    pass

        def compared():
            check_trials([record, RunRecord(open_run(runs["half"]), 1, "", {})])
            names_of([[record], [RunRecord(open_run(runs["half"]), 1, "", {})]])

        for act in (
            measured,
            lambda: (formula(run.recipe), slots(run.recipe), papers(run.recipe)),
            lambda: model_details("a", run, [run, run]),
            lambda: write_card(run),
            lambda: drawn(TrainingCurves),
            lambda: drawn(TrainingProgress),
            lambda: [load_snapshot(run, path) for path in snapshots_of(run).values()],
            lambda: saved_projection(run, "pca"),
            lambda: existing_run(Job(run.recipe, data, run.folder)),
            lambda: last_step(run.folder),
            lambda: check_replaceable(run.folder),
            compared,
            resumed,
        ):
            with suppress(AutoencodeError), warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # what has changed since
                act()

    return used


@pytest.mark.parametrize("file", ["run.json", "recipe.json", "environment.json", "metrics.json"])
@pytest.mark.parametrize("name", ["done", "half", "rows"])
def test_damaged_json(fuzz, damaged_json, runs, copies, read, name, file):
    content = json.loads((runs["rows" if name == "rows" else "done"] / file).read_text())
    if name == "half" and file == "run.json":
        content = json.loads((runs[name] / file).read_text())

    def act(content):
        folder = copies(name)
        (folder / file).write_text(json.dumps(content))
        read(folder)

    fuzz(damaged_json(content), act, 20)


@pytest.mark.parametrize("name", ["done", "half"])
def test_damaged_lines_of_the_log(fuzz, damaged_json, runs, copies, read, name):
    lines = [json.loads(line) for line in (runs[name] / "log.jsonl").read_text().splitlines()]

    def act(lines):
        folder = copies(name)
        lines = lines if isinstance(lines, list) else [lines]
        (folder / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        read(folder)

    fuzz(damaged_json(lines), act, 30)


FILES = [
    *("run.json", "recipe.json", "environment.json", "metrics.json", "weights.safetensors"),
    *("log.jsonl", "figures/training/originals.png", "figures/training/000000003.png"),
    *("evaluation/reconstruction.safetensors", "projections/pca.safetensors"),
    "snapshots/000000006.safetensors",
]


@pytest.mark.parametrize("file", FILES)
def test_damaged_bytes(fuzz, damaged, runs, copies, read, file):
    def act(content):
        folder = copies("done")
        (folder / file).write_bytes(content)
        read(folder)

    fuzz(damaged((runs["done"] / file).read_bytes()), act, 12)


def link_to(target):
    return lambda path: path.symlink_to(target)


def socket_at(path):
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)


REPLACE = {
    "nothing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "folder": lambda path: path.mkdir(),
    "full folder": lambda path: shutil.copytree(path.parents[0] / "state", path),
    "pipe": os.mkfifo,
    "socket": socket_at,
    "loop": lambda path: path.symlink_to(path),
    "dangling": link_to("nothing"),
    "device": link_to("/dev/zero"),
    "terminal": link_to("/dev/tty"),
    "process": link_to("/proc/self/mem"),
    "sibling": link_to("run.json"),
    "weights": link_to("weights.safetensors"),
    "above": link_to(".."),
    "giant": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**42),
}


@pytest.mark.parametrize("name", ["done", "half"])
def test_replaced_files_and_folders(fuzz, runs, copies, read, name):
    places = sorted(str(path.relative_to(runs[name])) for path in runs[name].rglob("*"))
    places += ["run.lock", "network.py", "report.html", "card.md"]
    outside = runs[name].parent
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}

    def act(chosen):
        folder = copies(name)
        for place, kind in chosen.items():
            path = folder / place
            if not path.parent.is_dir() or path.parent.is_symlink():
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(True)
            with suppress(OSError):
                REPLACE[kind](path)
        read(folder)

    chosen = st.dictionaries(
        st.sampled_from(places), st.sampled_from(sorted(REPLACE)), min_size=1, max_size=2
    )
    fuzz(chosen, act, 60)
    assert before == {path: path.stat().st_mtime_ns for path in outside.rglob("*")}


@st.composite
def changed_tensors(draw, tensors, meta, damaged_json):
    """Tensors and metadata of which some are missing, renamed, or of other shapes and types."""
    tensors = dict(tensors)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(tensors) or ["a"]))
        tensor = tensors.get(name, torch.zeros(2))
        match draw(st.sampled_from(("drop", "rename", "type", "shape", "values", "add"))):
            case "drop":
                tensors.pop(name, None)
            case "rename":
                new = draw(st.sampled_from(("", "x", "é\n", f"{name}.x", *sorted(tensors))))
                tensors[new] = tensors.pop(name, tensor)
            case "type":
                real = tensor.real if tensor.is_complex() else tensor
                tensors[name] = real.to(getattr(torch, draw(st.sampled_from(TYPES))))
            case "shape":
                shapes = [[-1], [1, -1], [*tensor.shape, 1], [-1, 1]]
                tensors[name] = tensor.reshape(draw(st.sampled_from(shapes)))
                if draw(st.booleans()):
                    tensors[name] = tensors[name][:0]
            case "values":
                if tensor.dtype.is_floating_point:
                    value = draw(st.sampled_from((math.nan, math.inf, -1e30, 1e30, 0.0)))
                else:
                    value = draw(st.sampled_from((0, 1, -1, 100)))
                tensors[name] = torch.full_like(tensor, value, dtype=torch.float32).to(tensor.dtype)
            case "add":
                tensors[draw(st.sampled_from(("x", "encoder", "")))] = tensor
    return tensors, draw(damaged_json(meta)) if draw(st.booleans()) else meta


TYPES = (
    *("float64", "float16", "bfloat16", "int64", "uint8", "bool", "complex64"),
    *("float8_e4m3fn", "float8_e5m2", "uint16", "uint32"),
)


@pytest.mark.parametrize(
    "file",
    ["weights.safetensors", "snapshots/000000006.safetensors", "projections/pca.safetensors"],
)
def test_false_tensors_with_a_right_checksum(fuzz, damaged_json, runs, copies, read, file):
    tensors, meta = tensors_io.read_tensors(runs["done"] / file)

    def act(drawn):
        tensors, meta = drawn
        folder = copies("done")
        # A writer of its own: this package refuses to write some of it.
        header = {"format": "1", "meta": json.dumps(meta)}
        header["sha256"] = tensors_io._checksum(tensors, header)
        save_file({k: v.clone().contiguous() for k, v in tensors.items()}, folder / file, header)
        read(folder)

    fuzz(changed_tensors(tensors, meta, damaged_json), act, 40)

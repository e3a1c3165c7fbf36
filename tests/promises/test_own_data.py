"""A model knows its data: the same figures from the same data, by every way that leads to it."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import autoencode as ae
from autoencode.data.options import Options
from autoencode.evaluation import evaluate
from autoencode.models.run import open_run

MEASURES = ("reconstruction", "codes")
rng = np.random.default_rng


def images(folder, shape=(10, 8), n=24, classes="ab", high=256):
    """Class folders of PNGs, grey or colour."""
    draw = rng(0)
    for i in range(n):
        path = folder / classes[i % len(classes)] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, high, shape, np.uint8)).save(path)
    return folder


def array(folder, x, name="x.npy"):
    np.save(folder / name, x)
    return folder / name


def table(folder, n=40):
    draw = rng(0)
    x = draw.normal(size=(n, 1)) * [1, 30, 0.1] + [0, 100, 5]
    with (folder / "t.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "a", "b", "c", "colour", "code", "site", "kind"])
        for i, (a, b, c) in enumerate(x.round(4)):
            colour, code = ["red", "blue", "green"][i % 3], i % 4
            rows.writerow([f"id{i}", a, b, c, colour, code, f"s{i % 9}", "xy"[i % 2]])
    return folder / "t.csv"


def gaps(folder):
    path = table(folder)
    lines = path.read_text().splitlines()
    for i in range(3, len(lines), 5):
        cells = lines[i].split(",")
        cells[1 + i % 3] = ""
        lines[i] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")
    return path


COLUMNS = {"label": "kind", "id": "key", "columns": "a,b,c,colour"}
# Option of `load_data` -> how the data are made, the options, and the recipe.
CASES = {
    "labels": (
        lambda f: array(f, rng(0).integers(0, 256, (30, 6, 6), np.uint8)),
        lambda f: {"labels": array(f, np.arange(30) % 3, "y.npy")},
        "cvae",
    ),
    "no_labels": (images, {"no_labels": True}, "ae"),
    "vectors": (
        lambda f: array(f, rng(0).random((30, 6, 6))),
        lambda f: {"vectors": array(f, rng(1).random((30, 2)), "v.npy")},
        "ae",
    ),
    "label": (table, {"label": "kind", "columns": "a,b,c"}, "cvae"),
    "id": (table, {"id": "key", "columns": "a,b"}, "ae"),
    "columns": (table, COLUMNS, "vae"),
    "categorical": (table, {**COLUMNS, "columns": "a,b,code", "categorical": "code"}, "ae"),
    "missing": (gaps, COLUMNS, "vae"),
    "train_dir, test_dir": (
        lambda f: (images(f / "one" / "first", n=20), images(f / "one" / "second", n=9))[0].parent,
        {"train_dir": "first", "test_dir": "second"},
        "ae",
    ),
    "ignore": (
        lambda f: (images(f / "d"), images(f / "d", classes="m", n=5))[0],
        {"ignore": "m"},
        "ae",
    ),
    "channels_last": (
        lambda f: array(f, rng(0).random((30, 6, 7, 2))),
        {"channels_last": True},
        "conv-ae",
    ),
    "value_range": (
        lambda f: array(f, rng(0).integers(0, 17, (30, 6, 6))),
        {"value_range": (0, 16)},
        "ae",
    ),
    "auto": (lambda f: array(f, rng(0).normal(9, 3, (40, 6, 6))), {"value_range": "auto"}, "ae"),
    "per_channel": (
        lambda f: array(f, rng(0).normal(size=(40, 2, 6, 6)) * [[[1]], [[9]]]),
        {"value_range": "auto", "per_channel": True, "channels_last": False},
        "ae",
    ),
    "scale": (
        lambda f: array(f, rng(0).normal(size=(40, 3)) * [1, 9, 99]),
        {"scale": "robust"},
        "ae",
    ),
    "size": (lambda f: images(f / "d", (12, 9, 3)), {"size": (6, 6)}, "ae"),
    "on_bad": (
        lambda f: ((images(f / "d") / "a" / "x.png").write_bytes(b"none"), f / "d")[1],
        {"on_bad": "skip", "max_bad": 0.2},
        "ae",
    ),
    "labelled": (images, {"labelled": 6}, "ae"),
    "normal": (table, {"label": "kind", "columns": "a,b,c", "normal": "x"}, "ae"),
    "validation": (images, {"validation": 5}, "ae"),
    "group": (table, {**COLUMNS, "group": "site"}, "ae"),
    "seed": (images, {"seed": 3}, "ae"),
    "binarise": (images, {"binarise": "static"}, "vae"),
    "dynamic": (images, {"binarise": "dynamic"}, "vae"),
    "memory": (images, {"memory": "map"}, "ae"),
    "max_bad": (images, {"max_bad": 0.5}, "ae"),
}


def test_every_option_has_a_case():
    tested = {name for case in CASES for name in case.split(", ")}
    assert {field.name for field in fields(Options)} <= tested


def trained(tmp_path, case):
    make, options, recipe = CASES[case]
    (tmp_path / "data").mkdir()
    source = make(tmp_path / "data")
    options = options(tmp_path / "data") if callable(options) else options
    data = ae.load_data(source, **options)
    recipe = ae.RECIPES[recipe]
    if case == "vectors":
        recipe = recipe.set("context", "vectors")
    fitted = ae.fit(recipe, data, out=tmp_path / "run", steps=3, progress=False)
    return fitted, source, options


def elsewhere(path):
    """Where a path below data/ lies after data/ has become copy/."""
    return Path(*["copy" if part == "data" else part for part in path.parts])


def figures(found):
    return numbers(found.to_dict())


def numbers(record):
    return {name: value for name, value in record.items() if isinstance(value, float | int)}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_the_same_data_give_the_same_figures(tmp_path, case):
    fitted, source, options = trained(tmp_path, case)
    own = figures(evaluate(fitted.model, fitted.data, MEASURES))
    run = open_run(tmp_path / "run")
    again = figures(evaluate(run.load_model(), run.data_for(), MEASURES))
    assert again == pytest.approx(own, abs=1e-6)
    # The training data are gone; the same content lies elsewhere.
    (tmp_path / "data").rename(tmp_path / "copy")
    moved = {name: elsewhere(path) for name, path in options.items() if isinstance(path, Path)}
    other = run.data_for(elsewhere(source), **moved)
    assert other.fingerprint == run.data["fingerprint"]
    found = figures(evaluate(run.load_model(), other, MEASURES))
    assert found == pytest.approx(own, abs=1e-6)
    # All examples as new data: the test examples are among them, preprocessed alike.
    model = ae.load(tmp_path / "run")
    assert model.preprocessing == fitted.data.preprocessing
    assert str(model.preprocessing).count("\n") == 0


# Runs a list of commands, and prints the list of what they print, in a process of its own.
IN_ONE_PROCESS = """
import contextlib, io, json, sys
import autoencode as ae
from autoencode.cli.main import _exit_code

def run(words):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        if words[0] == "load":
            from autoencode.evaluation import evaluate
            from autoencode.models.run import open_run
            model = ae.load(words[1])
            data = open_run(words[1]).data_for(words[2], **json.loads(words[3]))
            print(json.dumps(evaluate(model, data, ("reconstruction", "codes")).to_dict()))
        else:
            code = _exit_code(words)
            assert code == 0, (code, words)
    return out.getvalue()

json.dump([run(words) for words in json.load(sys.stdin)], sys.stdout)
"""


def by_command(commands):
    """What each command prints; one process runs them all, because most of its time is imports."""
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS],
        input=json.dumps(commands),
        env={**os.environ, "AUTOENCODE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def words(options):
    """Options of `load_data` as words of the command line."""
    flags = {"value_range": "range", "seed": "split-seed"}
    found = []
    for name, value in options.items():
        if name == "channels_last":
            found.append("--channels-last" if value else "--channels-first")
            continue
        found.append(f"--{flags.get(name, name).replace('_', '-')}")
        if value is not True:
            found += [str(v) for v in (value if isinstance(value, tuple) else [value])]
    return found


@pytest.mark.long
def test_the_verbs_give_the_same_figures_in_other_processes(tmp_path):
    training, own, again = [], [], []
    for case, (make, options, recipe) in CASES.items():
        folder = tmp_path / case / "data"
        folder.mkdir(parents=True)
        source = make(folder)
        options = options(folder) if callable(options) else options
        run = str(tmp_path / case / "run")
        context = ["--set", "context=vectors"] if case == "vectors" else []
        train = ["train", recipe, "--data", str(source), "--out", run, "--steps", "3"]
        training.append([*train, *words(options), *context, "--no-report"])
        evaluate = ["evaluate", run, "--json", "--no-report", "--measures", ",".join(MEASURES)]
        own.append(evaluate)
        moved = {name: elsewhere(path) for name, path in options.items() if isinstance(path, Path)}
        again.append([*evaluate, "--data", str(elsewhere(source)), *words(moved)])
        moved = {name: str(path) for name, path in moved.items()}
        again.append(["load", run, str(elsewhere(source)), json.dumps(moved)])
    by_command(training)
    own = [numbers(json.loads(text)) for text in by_command(own)]
    for case in CASES:
        (tmp_path / case / "data").rename(tmp_path / case / "copy")
    again = [numbers(json.loads(text)) for text in by_command(again)]
    for case, first, copy, loaded in zip(CASES, own, again[::2], again[1::2], strict=True):
        assert len(first) > 3, case
        assert copy == pytest.approx(first, abs=1e-6), case
        # The verb adds and leaves out figures that are no measures, such as the number of steps.
        shared = first.keys() & loaded.keys()
        assert {"squared_error", "n_test"} <= shared, shared
        assert {k: loaded[k] for k in shared} == pytest.approx(
            {k: first[k] for k in shared}, abs=1e-6
        ), (case, first.keys() ^ loaded.keys())

"""A model knows its data: the same figures from the same data, by every way that leads to it."""

import csv
import shutil

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
    "validation": (images, {"validation": 5}, "ae"),
    "group": (table, {**COLUMNS, "group": "site"}, "ae"),
    "seed": (images, {"seed": 3}, "ae"),
    "binarise": (images, {"binarise": "static"}, "vae"),
    "dynamic": (images, {"binarise": "dynamic"}, "vae"),
    "memory": (images, {"memory": "map"}, "ae"),
    "max_bad": (images, {"max_bad": 0.5}, "ae"),
}


def test_every_option_has_a_case():
    from dataclasses import fields

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


def figures(found):
    return {
        name: value for name, value in found.to_dict().items() if isinstance(value, float | int)
    }


@pytest.mark.parametrize("case", CASES)
def test_the_same_data_give_the_same_figures(tmp_path, case):
    fitted, source, options = trained(tmp_path, case)
    own = figures(evaluate(fitted.model, fitted.data, MEASURES))
    run = open_run(tmp_path / "run")
    again = figures(evaluate(run.load_model(), run.data_for(), MEASURES))
    assert again == pytest.approx(own, abs=1e-6)
    # The training data are gone; the same content lies elsewhere.
    copied = (
        tmp_path / "copy" / source.relative_to(tmp_path / "data").parts[0]
        if source != tmp_path / "data"
        else tmp_path / "copy"
    )
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    shutil.rmtree(tmp_path / "data")
    moved = {
        name: tmp_path / "copy" / options[name].name
        for name in ("labels", "vectors")
        if name in options
    }
    elsewhere = (
        copied
        if source.is_dir() or source == tmp_path / "data"
        else tmp_path / "copy" / source.name
    )
    other = run.data_for(elsewhere, **moved)
    assert other.fingerprint == run.data["fingerprint"]
    found = figures(evaluate(run.load_model(), other, MEASURES))
    assert found == pytest.approx(own, abs=1e-6)
    # All examples as new data: the test examples are among them, preprocessed alike.
    model = ae.load(tmp_path / "run")
    assert model.preprocessing == fitted.data.preprocessing
    assert str(model.preprocessing).count("\n") == 0

"""Cached metrics and `metrics.json` of wrong content: valid files that no evaluation writes."""

import json
import math
import os
import shutil

import pytest
import torch

from autoencode.errors import RunError
from autoencode.evaluation import (
    MetricsCache,
    evaluate,
    projected,
    saved_projection,
    trained_classifier,
)
from autoencode.evaluation import classifier as classifier_module
from autoencode.evaluation.saved import read_metrics
from autoencode.io.store import write_json
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.report import write_card, write_report
from autoencode.train import fit

MEASURES = ["reconstruction", "pca", "objective", "codes"]


@pytest.fixture(scope="module")
def original(digits, tmp_path_factory):
    """A run with cached metrics and a projection."""
    folder = tmp_path_factory.mktemp("measured") / "run"
    recipe = RECIPES["vae"].set("network.hidden", (8,))
    fitted = fit(recipe, digits, latent=3, steps=5, out=folder, progress=False)
    found = evaluate(fitted.model, digits, MEASURES, MetricsCache(fitted.run))
    write_json(folder / "metrics.json", found.to_dict())
    projected(fitted.run, digits, fitted.model, "pca")
    return folder, fitted.model, found


@pytest.fixture
def copied(original, tmp_path):
    shutil.copytree(original[0], tmp_path / "run")
    return open_run(tmp_path / "run")


def record(of, **values):
    def change(tensors, meta):
        next(each for each in meta["records"] if each["name"] == of).update(values)

    return change


def dropped(name):
    def change(tensors, meta):
        meta["records"] = [each for each in meta["records"] if each["name"] != name]
        tensors.pop(name, None)

    return change


def renamed(name, new):
    return record(name, name=new)


def tensor(name, change):
    def changed(tensors, meta):
        tensors[name] = change(tensors[name])

    return changed


def meta(**values):
    return lambda tensors, old: old.update(values)


def infinite(values):
    values[3] = math.inf
    return values


def lacking(values):
    values[3] = math.nan
    return values


ERROR = "squared_error"
CASES = {
    "a text for a value": record(ERROR, value="low"),
    "a text of digits": record(ERROR, value="32.5"),
    "a value that is true": record(ERROR, value=True),
    "no value": record(ERROR, value=None),
    "a value that is not a number": record(ERROR, value=math.nan),
    "an infinite value": record(ERROR, value=-math.inf),
    "a value of many digits": record(ERROR, value=10**400),
    "a negative error": record(ERROR, value=-1.0),
    "a list for a number": record(ERROR, value=[32.5]),
    "errors of other classes": record("squared_error_by_class", value=[1.0] * 9),
    "a number for a list": record("best_examples", value=3),
    "an empty list of names": record("worst_names", value=[]),
    "a list of mixed types": record("worst_names", value=["a", 1]),
    "a nested list": record("worst_errors", value=[[1.0]]),
    "a position beyond the test part": record("best_examples", value=[0, 360]),
    "a negative position": record("worst_examples", value=[-1]),
    "a position with a fraction": record("best_examples", value=[0.5]),
    "a unit in a list": record(ERROR, unit=["x"]),
    "no note": record(ERROR, note=None),
    "a negative number of examples": record(ERROR, n=-3),
    "an interval with one end": record(ERROR, interval=[1.0]),
    "an interval with three ends": record(ERROR, interval=[1.0, 2.0, 3.0]),
    "an interval of texts": record(ERROR, interval=["1", "2"]),
    "an interval that is not finite": record(ERROR, interval=[1.0, math.inf]),
    "an interval upside down": record(ERROR, interval=[2.0, 1.0]),
    "an unknown entry": record(ERROR, median=1.0),
    "a name in a list": record(ERROR, name=[ERROR]),
    "a name twice": renamed("psnr", ERROR),
    "another name": renamed(ERROR, "squared_errors"),
    "no squared error": dropped(ERROR),
    "no names": dropped("worst_names"),
    "no records": meta(records=None),
    "records of numbers": meta(records=[1, 2]),
    "records in an object": meta(records={"name": ERROR}),
    "options in a list": meta(options=[1]),
    "of nothing": meta(of=None),
    "values in float64": tensor(ERROR, torch.Tensor.double),
    "values in integers": tensor(ERROR, torch.Tensor.int),
    "values of too few examples": tensor(ERROR, lambda t: t[:-1]),
    "values of more axes": tensor(ERROR, lambda t: t[:, None]),
    "values without an axis": tensor(ERROR, lambda t: t[0]),
    "an infinite value of an example": tensor(ERROR, infinite),
    "a value that lacks for an example": tensor(ERROR, lacking),
    "fewer examples": record(ERROR, n=358),
    "values of no metric": lambda t, m: t.update(stray=t[ERROR]),
}


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_cached_metrics_of_wrong_content_are_measured_again(case, copied, original, digits):
    _, model, first = original
    path = copied.folder / "evaluation" / "reconstruction.safetensors"
    tensors, content = read_tensors(path)
    CASES[case](tensors, content)
    write_tensors(path, tensors, content)
    # A measure that is asked for, and one that is only there.
    assert evaluate(model, digits, MEASURES, MetricsCache(copied)) == first
    write_tensors(path, tensors, content)
    others = evaluate(model, digits, ["objective"], MetricsCache(copied))
    assert not set(others) & {"squared_error_above_pca", "psnr", "ssim"}
    assert others.items() <= first.items()


@pytest.mark.parametrize("value", [[], [1.0], [1.0] * 4, "", [True] * 3, [math.nan] * 3, {}])
def test_a_kl_of_other_dimensions_is_measured_again(value, copied, original, digits):
    path = copied.folder / "evaluation" / "codes.safetensors"
    tensors, content = read_tensors(path)
    record("kl_per_dimension", value=value)(tensors, content)
    write_tensors(path, tensors, content)
    assert evaluate(original[1], digits, MEASURES, MetricsCache(copied)) == original[2]


def test_measures_that_do_not_fit_together_are_measured_again(copied, original, digits):
    """PCA of a table with two columns, beside the errors of one with three."""
    folder = copied.folder / "evaluation"
    tensors, content = read_tensors(folder / "pca.safetensors")
    one = {"unit": "", "n": 1, "note": "", "interval": None}
    content["records"].append({"name": "r2_per_column_of_pca", "value": [0.5, 0.5], **one})
    write_tensors(folder / "pca.safetensors", tensors, content)
    tensors, content = read_tensors(folder / "reconstruction.safetensors")
    content["records"] += [
        {"name": "numeric_columns", "value": ["a", "b", "c"], **one},
        {"name": "r2_per_column", "value": [0.5] * 3, **one},
    ]
    write_tensors(folder / "reconstruction.safetensors", tensors, content)
    assert evaluate(original[1], digits, MEASURES, MetricsCache(copied)) == original[2]


def test_valid_cached_metrics_are_not_measured_again(copied, original, digits, monkeypatch):
    from autoencode.evaluation import MEASURES as TABLE

    for name in MEASURES:
        monkeypatch.setitem(TABLE, name, None)  # would fail if it were called
    assert evaluate(original[1], digits, MEASURES, MetricsCache(copied)) == original[2]


def test_caches_beyond_the_memory_are_made_again(copied, original, digits):
    name = MEASURES[0]
    kept = [copied.folder / "evaluation" / f"{name}.safetensors"]
    kept.append(copied.folder / "projections" / "pca.safetensors")
    for path in kept:
        os.truncate(path, 2**42)
    assert saved_projection(copied, "pca") is None
    found = evaluate(original[1], digits, [name], MetricsCache(copied))
    assert dict(found) == dict(original[2])
    assert kept[0].stat().st_size < 2**42


FILES = {
    "a text": {ERROR: "low"},
    "true": {ERROR: True},
    "none": {ERROR: None},
    "a huge number": {"psnr": 10**400},
    "a list": {"loss": [1.0]},
    "an object": {"psnr": {}},
    "terms in a list": {"terms": []},
    "a term of a text": {"terms": {"kl": "1"}},
    "no units": {"units": None},
    "a unit that is missing": {"units": {}},
    "a note that is a number": {"notes": {ERROR: 1}},
    "an interval of one end": {"intervals": {ERROR: [1.0]}},
    "intervals of texts": {"intervals": {"squared_error_above_pca": ["a", "b"]}},
    "intervals in a list": {"intervals": []},
    "positions beyond": {"worst_examples": [10**6] * 16},
    "fewer names": {"worst_names": ["a"]},
    "a share of 2": {"knn_accuracy": 2},
    "errors of other classes": {"squared_error_by_class": [1.0]},
    "a kl of text": {"kl_per_dimension": ["a", "b", "c"]},
    "data in a list": {"data": []},
    "another number of examples": {"n_test": 5},
    "a negative number of examples": {"n_test": -1},
    "reasons in a list": {"left_out": [1]},
    "a reason that is a number": {"left_out": {"pca": 1}},
}


@pytest.mark.parametrize("case", FILES)
def test_metrics_of_wrong_content_are_refused_by_the_pages(case, copied, digits):
    path = copied.folder / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | FILES[case]))
    with pytest.raises(RunError, match="is not valid") as refused:
        write_report(copied, data=digits)
    assert f"Measure again: autoencode evaluate {copied.folder}" in str(refused.value)
    assert not (copied.folder / "report.html").exists()
    if case != "another number of examples":  # which only the data tell
        with pytest.raises(RunError, match="is not valid"):
            write_card(copied)


@pytest.mark.parametrize("name", [ERROR, "squared_error_per_pixel", "worst_errors", "units"])
def test_metrics_that_lack_what_others_need_are_refused(name, copied):
    path = copied.folder / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics[name]
    path.write_text(json.dumps(metrics))
    with pytest.raises(RunError, match="is not valid"):
        read_metrics(copied)


def test_metrics_that_an_evaluation_wrote_are_read(copied, original, digits):
    written = json.loads(json.dumps(original[2].to_dict()))
    assert read_metrics(copied, len(digits.test)) == written
    (copied.folder / "metrics.json").unlink()
    assert read_metrics(copied) is None


PROJECTIONS = {
    "positions of texts": meta(of="359"),
    "an infinite number of examples": meta(of=math.inf),
    "no seed": meta(seed=None),
    "a seed that is true": meta(seed=True),
    "a negative seed": meta(seed=-1),
    "another method": meta(method="tsne"),
    "points in float64": tensor("points", torch.Tensor.double),
    "points that are not numbers": tensor("points", lambda t: t * math.nan),
    "points in space": tensor("points", lambda t: t[:, :1].expand(-1, 3)),
    "one point": tensor("points", lambda t: t[0]),
    "rows in floats": tensor("rows", torch.Tensor.float),
    "rows beyond": tensor("rows", lambda t: t + 1),
    "negative rows": tensor("rows", lambda t: t - 1),
    "rows in a table": tensor("rows", lambda t: t[:, None]),
    "no rows": lambda t, m: t.pop("rows"),
    "nothing": lambda t, m: (t.clear(), m.clear()),
}  # fmt: skip


@pytest.mark.parametrize("case", PROJECTIONS)
def test_projections_of_wrong_content_are_made_again(case, copied, original, digits):
    path = copied.folder / "projections" / "pca.safetensors"
    before = saved_projection(copied, "pca")
    tensors, content = read_tensors(path)
    PROJECTIONS[case](tensors, content)
    write_tensors(path, tensors, content)
    assert saved_projection(copied, "pca") is None
    again = projected(copied, digits, original[1], "pca")
    assert torch.equal(again.points, before.points)


@pytest.mark.parametrize(
    "change",
    [
        meta(accuracy="0.9"),
        meta(accuracy=None),
        meta(accuracy=math.nan),
        meta(accuracy=1.5),
        lambda t, m: t.clear(),
        lambda t, m: t.update({k: v.double() for k, v in t.items()}),
        lambda t, m: t.update({k: v * math.nan for k, v in t.items() if v.is_floating_point()}),
        lambda t, m: t.update({k: v[None] for k, v in t.items()}),
    ],
)
def test_a_cached_classifier_of_wrong_content_is_trained_again(
    change, digits, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "classifier.safetensors"
    trained, identity = trained_classifier(digits, steps=1), {"name": "x"}
    classifier_module._save(trained, path, identity)
    other = trained_classifier(digits, steps=2)
    assert classifier_module._load(other, path, identity)
    assert other.accuracy == trained.accuracy
    tensors, content = read_tensors(path)
    change(tensors, content)
    write_tensors(path, tensors, content)
    weights = {name: value.clone() for name, value in other.state_dict().items()}
    assert not classifier_module._load(other, path, identity)
    assert all(torch.equal(weights[name], value) for name, value in other.state_dict().items())
    assert "is damaged; training the classifier again" in capsys.readouterr().err

"""`autoencode compare`: from runs to one page, one table and one object."""

import json
import shlex
import shutil

import pytest

from autoencode.models.recipes.table import RECIPES
from autoencode.models.run import open_run
from autoencode.train import fit

SETTINGS = {"steps": 20, "batch_size": 50, "validate_every": 20}


@pytest.fixture(scope="session")
def seeds(digits, trained, tmp_path_factory):
    """Two seeds of "ae" and one of "vae", on digits, not yet measured; nobody may change them."""
    folder = tmp_path_factory.mktemp("seeds")
    for name in ("ae", "vae"):
        shutil.copytree(trained / name, folder / f"{name}-0")
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    fit(recipe, digits, out=folder / "ae-1", seed=1, **SETTINGS)
    return folder


@pytest.fixture
def runs(seeds, folder):
    """Those runs, of one's own, at "runs"."""
    return shutil.copytree(seeds, folder / "runs")


@pytest.mark.long
def test_measures_compares_and_says_where(run, runs, folder):
    (runs / "notes").mkdir()  # what is no run is no match of a pattern
    outcome = run('compare "runs/*"')
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    first, head, ae, vae, *_, page, figures = outcome.out.splitlines()
    assert first == "2 models on digits, 359 test examples"
    assert head.split()[:3] == ["model", "seeds", "MSE"]
    assert ae.split()[:2] == ["ae", "2"]
    assert vae.split()[:2] == ["vae", "1"]
    assert "±" in ae
    assert page == "page     runs/compare/compare.html"
    assert figures == "figures  runs/compare/compare.json"
    text = (folder / "runs" / "compare" / "compare.html").read_text()
    assert "autoencode compare runs/ae-0 runs/ae-1 runs/vae-0" in text
    found = json.loads((folder / "runs" / "compare" / "compare.json").read_text())
    (error,) = [each for each in found["figures"] if each["name"] == "squared_error"]
    kept = [open_run(runs / f"ae-{seed}").metrics()["squared_error"] for seed in (0, 1)]
    assert error["models"]["ae"]["values"] == kept
    assert error["models"]["ae"]["over"] == "seeds"
    assert error["models"]["vae"]["over"] == "test examples"
    # Again, in another order: not a byte is another.
    files = [folder / "runs" / "compare" / f"compare.{end}" for end in ("html", "json")]
    before = [file.read_bytes() for file in files]
    again = run("compare runs/vae-0 runs/ae-1 runs/ae-0 runs/compare --overwrite --json")
    assert again.json == found
    assert before == [file.read_bytes() for file in files]


@pytest.mark.slow
def test_what_is_compared_does_not_depend_on_what_was_measured_before(run, runs):
    plain = run("compare runs/ae-0 runs/vae-0 --out a --measures codes --json").json
    run("evaluate runs/vae-0 --measures space")
    found = run("compare runs/ae-0 runs/vae-0 --out b --measures codes --json").json
    assert found == plain
    names = {each["name"] for each in found["figures"]}
    assert {"knn_accuracy", "squared_error"} <= names
    assert "trustworthiness" not in names
    assert "trustworthiness" in open_run("runs/vae-0").metrics()


@pytest.mark.slow
def test_data_with_the_same_test_part_may_differ_in_training(run, runs, digits, folder):
    from autoencode.data import load_data

    few = load_data("digits", validation=20)
    assert few.fingerprint != digits.fingerprint
    recipe = RECIPES["ae"].set("network.hidden", (16,))
    fit(recipe, few, out=folder / "few", **SETTINGS)
    found = run("compare runs/ae-0 few --json").json
    names = [model["name"] for model in found["models"]]
    assert names == ["ae (validation=20)", "ae (validation=default)"]


def test_refuses_and_leaves_nothing(refused, runs, half, digits, folder):
    assert "two runs or more, and there is 1" in refused("compare runs/ae-0")
    assert "runs/ae-0 is given twice" in refused("compare runs/ae-0 runs/../runs/ae-0")
    assert "half has no trained weights yet" in refused("compare runs/ae-0 half")
    assert "No run fits" in refused('compare "nowhere/*"')
    assert "There is no run at nothing" in refused("compare runs/ae-0 nothing")
    wrong = refused("compare runs/ae-0 runs/vae-0 --measures spaces")
    assert 'no measure "spaces". Did you mean "space"?' in wrong
    shutil.copytree(runs / "ae-0", folder / "copy")
    assert "the same training" in refused("compare runs/ae-0 copy")
    assert "holds a run" in refused("compare runs/ae-0 runs/vae-0 --out copy")
    (folder / "old").mkdir()
    (folder / "old" / "compare.html").write_text("old")
    assert "--overwrite" in refused("compare runs/ae-0 runs/vae-0 --out old")


def test_other_test_examples_are_refused(refused, runs, folder):
    from autoencode.data import load_data

    recipe = RECIPES["vae"].set("network.hidden", (16,))
    fit(recipe, load_data("digits", seed=7), out=folder / "other", **SETTINGS)
    said = refused("compare runs/ae-0 other")
    assert "runs/ae-0 and other are measured on different test examples" in said
    assert "seed is 0 and 7" in said
    assert "--split-seed" in said


def test_arrays_in_memory_are_refused(refused, runs, digits, folder):
    recipe = RECIPES["vae"].set("network.hidden", (16,))
    fit(recipe, digits.train.x[:200], out=folder / "memory", **SETTINGS)
    said = refused(shlex.join(["compare", "runs/ae-0", "memory"]))
    assert "arrays in memory" in said


def test_the_example_of_the_help_is_there(run):
    assert "Example: autoencode compare runs/ae runs/vae" in run("compare --help").out


@pytest.mark.long
def test_a_comparison_that_was_cut_off_is_made_again(run, refused, runs, dead, folder):
    """The table lies there, and the page was not finished."""
    command = "compare runs/ae-0 runs/vae-0 --measures reconstruction --out both"
    (folder / "both").mkdir()
    left = [folder / "both" / f"compare.{end}.{dead}.tmp" for end in ("html", "json")]
    for path in (folder / "both" / "compare.json", *left):
        path.write_text("half")
    assert run(command).code == 0
    assert {path.name for path in (folder / "both").iterdir()} == {"compare.html", "compare.json"}
    assert (folder / "both" / "compare.json").read_text() != "half"
    assert "holds an earlier comparison" in refused(command)

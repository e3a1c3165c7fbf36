"""Missing values filled in: observed cells stay, others come from the model."""

import numpy as np
import pandas as pd
import pytest

import autoencode as ae
from autoencode.errors import AutoencodeError, DataError
from autoencode.use.gaps import impute, write_imputed

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def frame():
    draw = np.random.default_rng(0)
    hidden = draw.normal(size=(300, 2))
    x = hidden @ draw.normal(size=(2, 5)) * [1, 10, 0.1, 5, 2] + [0, 100, 3, -5, 0]
    frame = pd.DataFrame(x, columns=list("abcde"))
    frame["colour"] = np.where(hidden[:, 0] > 0, "red", "blue")
    frame["note"] = [f"row {i}" for i in range(300)]
    return frame


@pytest.fixture(scope="module")
def holes(frame):
    damaged = frame.copy()
    hidden = np.random.default_rng(1).random((300, 6)) < 0.15
    for i, name in enumerate([*"abcde", "colour"]):
        damaged.loc[hidden[:, i], name] = None
    return damaged


@pytest.fixture(scope="module")
def model(holes):
    data = ae.load_data(holes, id="note")
    return ae.fit("missing-iwae", data, latent=2, steps=200, progress=False).model


def test_observed_cells_stay_and_gaps_are_near_the_truth(model, frame, holes):
    full = impute(model, holes, id="note")
    assert list(full.columns) == list(frame.columns)
    assert not full.isna().any().any()
    known = holes.notna()
    pd.testing.assert_frame_equal(full[known], holes[known])
    for name in "abcde":
        gap = holes[name].isna()
        error = (full.loc[gap, name] - frame.loc[gap, name]).pow(2).mean()
        means = (holes[name].mean() - frame.loc[gap, name]).pow(2).mean()
        assert error < 0.7 * means, name
    gap = holes["colour"].isna()
    assert (full.loc[gap, "colour"] == frame.loc[gap, "colour"]).mean() > 0.7


def test_the_caller_keeps_the_frame(model, holes):
    before = holes.copy()
    impute(model, holes, id="note")
    pd.testing.assert_frame_equal(holes, before)


def test_files_keep_the_text_of_their_cells(model, holes, tmp_path):
    holes.to_csv(tmp_path / "t.csv", index=False)
    done = write_imputed(model, tmp_path / "t.csv", tmp_path / "full.csv", id="note")
    assert done.cells == int(holes[[*"abcde", "colour"]].isna().sum().sum())
    before = [line.split(",") for line in (tmp_path / "t.csv").read_text().splitlines()]
    after = [line.split(",") for line in (tmp_path / "full.csv").read_text().splitlines()]
    assert before[0] == after[0]
    for old, new in zip(before[1:], after[1:], strict=True):
        assert all(a == b or (a == "" and b != "") for a, b in zip(old, new, strict=True))


def test_a_parquet_file_and_an_array_file(model, holes, tmp_path):
    holes.to_parquet(tmp_path / "t.parquet")
    write_imputed(model, tmp_path / "t.parquet", tmp_path / "full.parquet", id="note")
    found = pd.read_parquet(tmp_path / "full.parquet")
    pd.testing.assert_frame_equal(found, impute(model, holes, id="note"), check_dtype=False)
    with pytest.raises(AutoencodeError, match=r"full\.csv"):
        write_imputed(model, holes, tmp_path / "full.npy", id="note")


def test_arrays_stay_arrays(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 1)) * [1, 2, 3] + draw.normal(size=(200, 3)) * 0.1
    gaps = draw.random(x.shape) < 0.1
    given = np.where(gaps, np.nan, x)
    names = pd.DataFrame(given, columns=["x1", "x2", "x3"])
    model = ae.fit("missing-iwae", ae.load_data(names), latent=1, steps=60, progress=False).model
    full = impute(model, given)
    assert isinstance(full, np.ndarray)
    np.testing.assert_allclose(full[~gaps], x[~gaps], rtol=1e-5, atol=1e-6)
    assert np.abs(full[gaps] - x[gaps]).mean() < 1


def test_images_and_models_of_complete_data_are_refused(model, holes, frame):
    complete = ae.fit("vae", ae.load_data(frame, id="note"), steps=1, progress=False).model
    with pytest.raises(DataError, match="missing-iwae"):
        impute(complete, holes, id="note")
    pictures = ae.fit("vae", "digits", steps=1, progress=False).model
    with pytest.raises(DataError, match="images"):
        impute(pictures, "digits")

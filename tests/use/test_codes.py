"""Codes of data as files: the codes of the model, with the names of the examples."""

import csv

import numpy as np
import pytest
import torch

import autoencode as ae
from autoencode.errors import AutoencodeError, DataError, RecipeError
from autoencode.use.codes import write_codes


def read(path):
    """The names, labels and codes of any format."""
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [row[name] for row in rows] for name in rows[0]}
    elif path.suffix == ".parquet":
        from pyarrow import parquet

        columns = parquet.read_table(path).to_pydict()
    else:
        with np.load(path) as arrays:
            return arrays["name"].tolist(), arrays["label"].tolist(), arrays["z"]
    z = np.array([columns[f"z{i + 1}"] for i in range(3)], np.float32).T
    return columns["name"], columns.get("label"), z


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".npz"])
def test_names_labels_and_codes_are_written(model, images, tmp_path, ending):
    n, notices = write_codes(model, images, tmp_path / f"z{ending}")
    names, labels, z = read(tmp_path / f"z{ending}")
    assert (n, notices) == (30, ())
    assert names == [f"{c}/{i}.png" for c in "ab" for i in range(30) if "ab"[i % 2] == c]
    assert labels == [name[0] for name in names]
    np.testing.assert_array_equal(z, ae.embed(model, images))
    assert [p.name for p in tmp_path.iterdir()] == [f"z{ending}"]


def test_an_array_holds_the_codes_alone(model, images, tmp_path):
    write_codes(model, images, tmp_path / "z.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), ae.embed(model, images))


@pytest.mark.parametrize("ending", [".csv", ".npz"])
def test_the_deviation_of_the_posterior(model, images, tmp_path, ending):
    path = tmp_path / f"z{ending}"
    write_codes(model, images, path, scale=True)
    x = ae.preprocess(images, model.preprocessing)
    wanted = model.encode(x).q.stddev.detach().numpy()
    if ending == ".npz":
        with np.load(path) as arrays:
            found = arrays["s"]
    else:
        found = np.genfromtxt(path, delimiter=",", names=True)
        found = np.stack([found[f"s{i + 1}"] for i in range(3)], 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_all_that_load_data_takes(model, images, tmp_path):
    x = np.random.default_rng(1).integers(0, 256, (9, 6, 5), np.uint8)
    wanted = ae.embed(model, torch.from_numpy(x)).numpy()
    data = ae.load_data(np.concatenate([x] * 5))
    for i, source in enumerate((x, list(x), torch.from_numpy(x))):
        write_codes(model, source, tmp_path / f"{i}.npy")
        np.testing.assert_array_equal(np.load(tmp_path / f"{i}.npy"), wanted)
    write_codes(model, data, tmp_path / "d.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), ae.embed(model, data.test.x))
    write_codes(model, data.validation, tmp_path / "v.csv")
    assert len((tmp_path / "v.csv").read_text().splitlines()) == len(data.validation) + 1


def test_nothing_is_left_where_data_do_not_fit(model, images, tmp_path):
    wrong = np.zeros((9, 7, 7), np.uint8)
    for ending in (".csv", ".parquet", ".npz", ".npy"):
        with pytest.raises(DataError):
            write_codes(model, wrong, tmp_path / f"z{ending}")
    plain = ae.fit("ae", images, steps=1, progress=False).model
    with pytest.raises(RecipeError, match="no posterior"):
        write_codes(plain, images, tmp_path / "z.csv", scale=True)
    with pytest.raises(AutoencodeError, match=r"z\.npz"):
        write_codes(model, images, tmp_path / "z.npy", scale=True)
    with pytest.raises(AutoencodeError, match="unknown ending"):
        write_codes(model, images, tmp_path / "z.txt")
    assert not any(tmp_path.iterdir())


def test_a_file_is_replaced_only_when_asked(model, images, tmp_path):
    (tmp_path / "z.csv").write_text("mine")
    with pytest.raises(AutoencodeError, match="overwrite"):
        write_codes(model, images, tmp_path / "z.csv")
    assert (tmp_path / "z.csv").read_text() == "mine"
    write_codes(model, images, tmp_path / "z.csv", overwrite=True)
    assert (tmp_path / "z.csv").read_text().startswith("name,label,z1,z2,z3\n")

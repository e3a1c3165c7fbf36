import gzip
import struct

import numpy as np
import pytest

from autoencode.data import load_data
from autoencode.data.read.idx import idx_bytes, read_idx
from autoencode.errors import DataError

X = np.random.default_rng(0).integers(0, 256, (20, 5, 3), np.uint8)
Y = (np.arange(20) % 4).astype(np.uint8)


@pytest.fixture
def four(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for name, array in (
        ("train-images-idx3-ubyte", X[:15]),
        ("train-labels-idx1-ubyte", Y[:15]),
        ("t10k-images-idx3-ubyte", X[15:]),
        ("t10k-labels-idx1-ubyte", Y[15:]),
    ):
        (folder / name).write_bytes(idx_bytes(array))
    return folder


def zipped(path):
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def refusal(path):
    with pytest.raises(DataError) as caught:
        load_data(path)
    assert path.name in str(caught.value)
    return str(caught.value)


def test_a_folder_of_four_files_keeps_its_own_division(four):
    data = load_data(four)
    assert data.fingerprint == load_data(((X[:15], Y[:15]), (X[15:], Y[15:]))).fingerprint
    for path in list(four.iterdir()):
        zipped(path)
    assert load_data(four).fingerprint == data.fingerprint
    assert load_data(data.source, **data.options).fingerprint == data.fingerprint


def test_images_without_labels_and_without_a_test_part(four):
    (four / "train-labels-idx1-ubyte").unlink()
    data = load_data(four)
    assert data.train.y is None
    (four / "t10k-images-idx3-ubyte").unlink()
    assert load_data(four).fingerprint == load_data(X[:15]).fingerprint


def test_one_file_takes_the_labels_beside_it(four):
    data = load_data(four / "train-images-idx3-ubyte")
    assert data.fingerprint == load_data((X[:15], Y[:15])).fingerprint
    assert "train-labels-idx1-ubyte" in data.notices[0]
    assert data.name == "train-images-idx3-ubyte"
    assert "labels" in refusal(four / "train-labels-idx1-ubyte")


@pytest.mark.parametrize(
    ("code", "dtype"), [(9, ">i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
)
def test_all_types_of_the_format(tmp_path, code, dtype):
    array = np.arange(12).reshape(3, 2, 2).astype(dtype)
    path = tmp_path / "some.idx"
    path.write_bytes(bytes([0, 0, code, 3]) + struct.pack(">III", 3, 2, 2) + array.tobytes())
    assert (read_idx(path) == array).all()
    assert load_data(path, value_range=(0, 11)).shape == (2, 2)


def test_damaged_files_are_refused(four):
    path = four / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    for cut, word in ((7, "header"), (len(whole) - 1, "cut short")):
        path.write_bytes(whole[:cut])
        assert word in refusal(path)
    path.write_bytes(whole + b"x")
    assert "too long" in refusal(path)
    packed = gzip.compress(whole)
    path.write_bytes(packed[: len(packed) // 2])
    assert "damaged" in refusal(path)
    path.write_bytes(packed[:40] + bytes([packed[40] ^ 255]) + packed[41:])
    assert "damaged" in refusal(path)
    path.write_bytes(gzip.compress(b"some text"))
    assert "not an IDX file" in refusal(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("shape", [(2_000_000, 28, 28), (2**31,) * 3, (61, 28, 28), (2**32 - 1,)])
def test_a_header_that_claims_too_much_costs_nothing(tmp_path, cheap_refusal, pack, shape):
    path = tmp_path / "train-images-idx3-ubyte"
    head = bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)
    path.write_bytes(pack(head + bytes(60 * 28 * 28)))
    text = cheap_refusal(lambda: load_data(path))
    assert text.startswith(f"{path} is cut short: its header says {shape}")


def test_folders_that_are_no_whole_set_are_refused(four):
    (four / "emnist-train-images-idx3-ubyte").write_bytes(idx_bytes(X))
    assert "more than one data set" in refusal(four)
    (four / "emnist-train-images-idx3-ubyte").unlink()
    (four / "train-images-idx3-ubyte").unlink()
    assert "no train-images-idx3-ubyte" in refusal(four)

import tracemalloc

import numpy as np
import pytest
import torch

from autoencode.data import load_data
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.split.splits import split
from autoencode.data.storage import MemoryStorage, Selection

R = np.random.default_rng(0)


def as_bytes(*shape):
    return Preprocessing(shape, "uint8", high=255.0)


def as_floats(*shape):
    return Preprocessing(shape, low=-1.0, high=1.0, range_source="given")


def expected(selection, preprocessing):
    """The converted examples of a selection, indexed at once."""
    return preprocessing(
        selection.x if selection.rows is None else selection.x[selection.rows].copy()
    )


def selections(x, seed=0):
    drawn = split(len(x), None, seed, test=True, validation=True)
    return {part: Selection(x, rows) for part, rows in drawn.items()}


@pytest.mark.parametrize(
    ("x", "preprocessing"),
    [
        (R.integers(0, 256, (50, 4, 3), np.uint8), as_bytes(4, 3)),
        (R.integers(0, 256, (50, 5, 4, 3), np.uint8), as_bytes(3, 5, 4)),
        (R.integers(0, 256, (50, 5, 4, 3), np.uint8), as_bytes(3, 2, 2)),
        (R.integers(0, 2, (50, 7)).astype(">i4"), as_floats(7)),
        (R.uniform(-1, 1, (50, 7)), as_floats(7)),
        (R.uniform(-1, 1, (50, 7)).astype(np.float32), as_floats(7)),
        (np.asfortranarray(R.integers(0, 256, (50, 4, 3), np.uint8)), as_bytes(4, 3)),
    ],
    ids=["bytes", "channels last", "smaller", "big endian", "double", "single", "Fortran"],
)
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("block", [1, 40, 2**20])
def test_parts_are_what_plain_indexing_gives(monkeypatch, x, preprocessing, reuse, block):
    monkeypatch.setattr("autoencode.data.storage.BLOCK", block)
    x = x.copy(order="K")
    x = np.moveaxis(x, -1, 1) if x.ndim == 4 else x
    before = x.copy()
    wanted = {
        part: expected(Selection(before, s.rows), preprocessing)
        for part, s in selections(x).items()
    }
    found = MemoryStorage(reuse).gather(selections(x), preprocessing)
    assert list(found) == list(wanted)
    for part, tensor in found.items():
        assert tensor.is_contiguous()
        np.testing.assert_array_equal(tensor.numpy(), wanted[part])
    if not reuse:
        assert (x == before).all()


@pytest.mark.parametrize("block", [1, 30, 2**20])
def test_parts_of_equal_size_do_not_overwrite_each_other(monkeypatch, block):
    monkeypatch.setattr("autoencode.data.storage.BLOCK", block)
    x = np.arange(60, dtype=np.uint8).reshape(12, 5)
    before, rows = x.copy(), np.random.default_rng(0).permutation(12)
    parts = {name: Selection(x, np.sort(rows[i::3])) for i, name in enumerate("abc")}
    found = MemoryStorage(reuse=True).gather(parts, as_bytes(5))
    for name, selection in parts.items():
        np.testing.assert_array_equal(found[name].numpy(), before[selection.rows])
    assert sum(np.shares_memory(tensor.numpy(), x) for tensor in found.values()) == 3


def test_a_part_of_its_own_stays_where_it_is():
    x = R.integers(0, 256, (20, 6), np.uint8)
    train, test = x[:12], x[12:]
    found = MemoryStorage(reuse=True).gather(
        {"train": Selection(train, None), "test": Selection(test, None)}, as_bytes(6)
    )
    assert found["train"].data_ptr() == train.ctypes.data
    assert found["test"].data_ptr() == test.ctypes.data


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_a_file_is_never_in_memory_twice(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("autoencode.data.storage.BLOCK", 2**14)
    monkeypatch.setattr("autoencode.data.arrays.BLOCK", 2**14)
    x = np.zeros((2000, 64, 64), np.uint8) if kind == "uint8" else R.random((2000, 2048), "f4")
    np.save(tmp_path / "x.npy", x)
    size = x.nbytes
    del x
    tracemalloc.start()
    data = load_data(tmp_path / "x.npy", value_range=None if kind == "float32" else (0, 255))
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(data.train) + len(data.validation) + len(data.test) == 2000
    assert held < 1.1 * size
    # The test and the validation part are there twice for a moment: 0.2 + 0.8 · 0.1.
    assert peak < 1.35 * size


def test_arrays_of_the_caller_are_copied_once_and_stay_as_they_are():
    x = R.integers(0, 256, (4000, 32, 32), np.uint8)
    before = x.copy()
    tracemalloc.start()
    data = load_data(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    data.train.x.zero_()
    assert (x == before).all()
    assert peak < 1.5 * x.nbytes


def test_bits_take_the_place_of_bytes(tmp_path):
    x = R.integers(0, 256, (300, 20), np.uint8)
    np.save(tmp_path / "x.npy", x)
    there, here = load_data(tmp_path / "x.npy", binarise="static"), load_data(x, binarise="static")
    assert there.fingerprint == here.fingerprint
    assert set(there.train.x.unique().tolist()) == {0, 255}
    assert torch.equal(there.train.x, here.train.x)

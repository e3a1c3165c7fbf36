import io
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from autoencode.data import load_data
from autoencode.errors import DataError, ResourceError

X = np.random.default_rng(0).integers(0, 256, (20, 5, 3), np.uint8)
Y = np.arange(20) % 4


def refusal(path, **options):
    with pytest.raises(DataError) as caught:
        load_data(path, **options)
    assert path.name in str(caught.value)
    return str(caught.value)


def npy_bytes(shape, descr="|u1", body=b""):
    head = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}}}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body


def marked(path):
    """An object that leaves a file when it is unpickled."""

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(path),)

    return Trap()


@pytest.mark.parametrize("x", [X, np.asfortranarray(X), X.astype(">i2") / 255, X / np.float16(255)])
def test_an_array_file_is_the_array(tmp_path, x):
    np.save(tmp_path / "odd.npy", x)
    data = load_data(tmp_path / "odd.npy")
    assert data.fingerprint == load_data(x).fingerprint
    assert (data.name, data.source) == ("odd", str(tmp_path / "odd.npy"))


def test_a_relative_path_can_be_loaded_again_from_elsewhere(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.chdir(tmp_path)
    data = load_data("x.npy", seed=3, validation=0.2)
    monkeypatch.chdir("/")
    again = load_data(data.source, **data.options)
    assert again.fingerprint == data.fingerprint


@pytest.mark.parametrize("keep", [0, 3, 8, 60, 127, 128, 200])
def test_a_file_cut_short_is_refused(tmp_path, keep):
    np.save(tmp_path / "x.npy", X)
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:keep])
    told = refusal(tmp_path / "x.npy")
    if keep >= 128:
        assert "cut short" in told


def test_bytes_left_over_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with (tmp_path / "x.npy").open("ab") as file:
        file.write(b"more")
    assert "too long" in refusal(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("shape", "descr", "word"),
    [
        ((10**12,), "|u1", "cut short"),
        ((10**6, 10**6, 10**6), "<f8", "cut short"),
        ((-5,), "|u1", "shape"),
        ((2.5,), "|u1", "damaged"),
        ("x", "|u1", "damaged"),
        ((3,), "nonsense", "damaged"),
    ],
)
def test_a_header_that_lies_costs_no_memory(tmp_path, shape, descr, word):
    (tmp_path / "x.npy").write_bytes(npy_bytes(shape, descr, b"abc"))
    tracemalloc.start()
    told = refusal(tmp_path / "x.npy")
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()
    assert word in told


def test_python_objects_are_refused_and_no_code_runs(tmp_path):
    trap = np.array([marked(tmp_path / "ran")] * 3, object)
    np.save(tmp_path / "x.npy", trap, allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "x.npy")
    (tmp_path / "p.npy").write_bytes(pickle.dumps(marked(tmp_path / "ran")))
    assert "never opened" in refusal(tmp_path / "p.npy")
    np.savez(tmp_path / "x.npz", x=trap, allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "x.npz")
    assert not (tmp_path / "ran").exists()


def test_records_and_texts_are_refused(tmp_path):
    np.save(tmp_path / "r.npy", np.zeros(3, [("a", "f4"), ("b", "i4")]))
    refusal(tmp_path / "r.npy")
    np.save(tmp_path / "t.npy", np.array([["a", "b"]]))
    assert "<U1" in refusal(tmp_path / "t.npy")


def test_nan_in_a_file_names_file_and_index(tmp_path):
    x = np.zeros((5, 3))
    x[4, 1] = np.nan
    np.save(tmp_path / "x.npy", x)
    assert "example 4 contains NaN" in refusal(tmp_path / "x.npy")


@pytest.mark.parametrize(
    ("arrays", "classes", "test"),
    [
        ({"x": X}, 0, None),
        ({"whatever": X}, 0, None),
        ({"x": X, "y": Y}, 4, None),
        ({"images": X, "labels": Y}, 4, None),
        ({"data": X, "target": Y}, 4, None),
        ({"x_train": X[:12], "y_train": Y[:12], "x_test": X[12:], "y_test": Y[12:]}, 4, 8),
        ({"train_images": X[:12], "test_images": X[12:]}, 0, 8),
    ],
)
def test_arrays_of_an_archive_are_known_by_name(tmp_path, arrays, classes, test):
    np.savez_compressed(tmp_path / "s.npz", **arrays)
    data = load_data(tmp_path / "s.npz")
    assert len(data.classes) == classes
    if test is None:
        assert data.fingerprint == load_data((X, Y if classes else None)).fingerprint
    else:
        assert len(data.test) == test
        assert (data.test.x.numpy() == X[12:]).all()


def test_arrays_that_are_not_used_are_named(tmp_path):
    np.savez(tmp_path / "s.npz", x=X, weights=Y)
    notice, *_ = load_data(tmp_path / "s.npz").notices
    assert "weights" in notice
    np.savez(tmp_path / "u.npz", first=X, second=Y)
    assert "first, second" in refusal(tmp_path / "u.npz")


def test_an_archive_without_arrays_or_damaged_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "no arrays" in refusal(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    assert "damaged" in refusal(tmp_path / "text.npz")
    np.savez_compressed(tmp_path / "s.npz", x=X)
    whole = bytearray((tmp_path / "s.npz").read_bytes())
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    assert "damaged" in refusal(tmp_path / "cut.npz")
    whole[len(whole) // 2] ^= 255
    (tmp_path / "s.npz").write_bytes(whole)
    assert "damaged" in refusal(tmp_path / "s.npz")


def test_a_zip_bomb_is_refused_before_a_byte_is_unpacked(tmp_path, monkeypatch):
    size = 64 * 2**20
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_bytes((1, size), body=bytes(size)))
    assert (tmp_path / "b.npz").stat().st_size < 100_000
    monkeypatch.setattr("autoencode.io.memory.available", lambda: size)
    tracemalloc.start()
    with pytest.raises(ResourceError, match=r"b\.npz.*67 MB.*half"):
        load_data(tmp_path / "b.npz")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_an_archive_that_lies_about_a_size_is_refused(tmp_path):
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy_bytes((1, 10**6), body=bytes(10**6)))
    honest = struct.pack("<I", len(npy_bytes((1, 10**6))) + 10**6)
    assert honest in stored.getvalue()
    lie = stored.getvalue().replace(honest, struct.pack("<I", 2000))
    (tmp_path / "x.npz").write_bytes(lie)
    assert "damaged" in refusal(tmp_path / "x.npz")

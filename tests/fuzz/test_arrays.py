"""Damaged arrays: .npy, .npz, CIFAR's records, and labels in any of these."""

import io

import numpy as np
import pytest
from hypothesis import strategies as st

from autoencode.data import load_data

pytestmark = pytest.mark.long

X = np.random.default_rng(0).random((40, 6, 5)).astype(np.float32)
Y = np.arange(40) % 4


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


# The header is text, of which a few changes give another valid array.
HEADERS = (
    *("{'descr': '<f4', 'fortran_order': False, 'shape': (40, 6, 5), }", "{", "{'descr': (", ""),
    *("{'descr': '|O', 'fortran_order': False, 'shape': (40,), }", "[" * 500, "'" * 3, "\0\n"),
    *("{'descr': [('a', '<f4'), ('b', '|S3')], 'fortran_order': True, 'shape': (3,), }", "(1L,)"),
    *("{'descr': ('<f4', (3, 4)), 'fortran_order': 0, 'shape': 40, }", "1 + 1j", "-1", "f''"),
)
NUMBERS = ("0", "-1", "1e9", "True", "2**70", "9" * 30, "9223372036854775807", "None", "40L", "()")


@st.composite
def npy_headers(draw):
    """An .npy file whose header is valid text for a while."""
    text = draw(st.sampled_from(HEADERS))
    for old in ("40", "6", "5", "False", "<f4"):
        if draw(st.booleans()):
            new = draw(st.sampled_from((*NUMBERS, "<V0", ">f8", "<U2147483647", "|b1", "<M8[ns]")))
            text = text.replace(old, new, 1)
    text = text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text
    version = draw(st.sampled_from((1, 1, 1, 2, 3, 0)))
    body = (text + "\n").encode()
    length = draw(st.sampled_from((len(body), len(body), len(body) - 1, 65535, 2**31, 2**32 - 1)))
    width = 2 if version == 1 else 4
    count = (length % 256**width).to_bytes(width, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + count + body + X.tobytes()


def reader(path, **options):
    def read(content):
        path.write_bytes(content)
        load_data(path, **options)

    return read


def test_damaged_npy_files(fuzz, damaged, tmp_path):
    fuzz(damaged(npy(X)), reader(tmp_path / "x.npy"))


def test_damaged_npy_files_that_are_mapped(fuzz, damaged, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOENCODE_CACHE", str(tmp_path / "cache"))
    strategy = damaged(npy(X)) | npy_headers()
    fuzz(strategy, reader(tmp_path / "x.npy", memory="map"))


def test_npy_files_with_hostile_headers(fuzz, tmp_path):
    fuzz(npy_headers(), reader(tmp_path / "x.npy"))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_npz_files(fuzz, damaged, tmp_path, save):
    content = npz(save, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9])
    fuzz(damaged(content), reader(tmp_path / "x.npz"))


def test_damaged_cifar_files(fuzz, damaged, tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    records = np.random.default_rng(0).integers(0, 256, (20, 3073), np.uint8)
    records[:, 0] %= 10
    (folder / "test_batch.bin").write_bytes(records[:5].tobytes())

    def read(content):
        (folder / "data_batch_1.bin").write_bytes(content)
        load_data(folder)

    fuzz(damaged(records.tobytes()), read)


@pytest.mark.parametrize("kind", ["npy", "npz", "idx"])
def test_damaged_files_of_labels(fuzz, damaged, tmp_path, kind):
    path = tmp_path / f"y.{kind}"
    idx = b"\0\0\x08\x01" + len(Y).to_bytes(4, "big") + Y.astype(np.uint8).tobytes()
    content = {"npy": npy(Y), "npz": npz(np.savez, y=Y), "idx": idx}[kind]

    def read(content):
        path.write_bytes(content)
        load_data(X, labels=path)

    fuzz(damaged(content), read)

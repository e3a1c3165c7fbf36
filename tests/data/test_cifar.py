import hashlib
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from autoencode.data import SOURCES, load_data
from autoencode.errors import DataError

R = np.random.default_rng(0)
IMAGES = R.integers(0, 256, (36, 3, 32, 32), np.uint8)
LABELS = (np.arange(36) % 10).astype(np.uint8)
NAMES = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]


def batches():
    table = np.concatenate([LABELS[:, None], IMAGES.reshape(36, -1)], 1)
    return {name: table[6 * i : 6 * i + 6].tobytes() for i, name in enumerate(NAMES)}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        # Not in order, as an archive need not be.
        for name, content in [("readme.html", b"<html>"), *reversed(batches().items())]:
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def holds_the_images(data):
    assert data.shape == (3, 32, 32)
    assert data.classes[:2] == ("airplane", "automobile")
    assert len(data.train) + len(data.validation) == 30
    assert (data.test.x.numpy() == IMAGES[30:]).all()
    assert (data.test.y.numpy() == LABELS[30:]).all()
    place = {x.tobytes(): i for i, x in enumerate(IMAGES[:30])}
    places = [place[x.tobytes()] for x in data.train.x.numpy()]
    assert places == sorted(places)
    assert data.train.y.tolist() == LABELS[places].tolist()


def test_the_archive_and_the_unpacked_folder(archive, tmp_path):
    holds_the_images(load_data(archive))
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for name, content in batches().items():
        (folder / name).write_bytes(content)
    holds_the_images(load_data(folder))


def test_the_named_set_from_a_local_copy(archive, tmp_path, monkeypatch):
    content = archive.read_bytes()
    (file,) = SOURCES["cifar10"].files
    made = replace(file, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    monkeypatch.setitem(SOURCES, "cifar10", replace(SOURCES["cifar10"], files=(made,)))
    monkeypatch.setenv("AUTOENCODE_DATA", str(tmp_path))
    data = load_data("cifar10")
    holds_the_images(data)
    assert data.source == "cifar10"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("data_batch_2.bin", b"\1" * 3072, "data_batch_2.bin is cut short"),
        ("data_batch_2.bin", b"", "data_batch_2.bin is cut short"),
        ("data_batch_3.bin", b"\x0a" * 3073, "exceeds 9"),
        ("test_batch.bin", None, "no test_batch.bin"),
    ],
)
def test_damaged_batches_are_refused(tmp_path, name, content, word):
    for n, c in {**batches(), name: content}.items():
        if c is not None:
            (tmp_path / n).write_bytes(c)
    with pytest.raises(DataError, match=word):
        load_data(tmp_path)


def test_a_damaged_archive_is_refused(archive):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        load_data(archive)

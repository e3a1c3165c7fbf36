"""One image file as data: new data for a model, and not enough to train on."""

import numpy as np
import pytest
from PIL import Image

from autoencode import load_data
from autoencode.data import load_new, preprocess
from autoencode.errors import DataError


@pytest.fixture
def known():
    """The preprocessing of a model of 8×6 grey images."""
    return load_data(np.random.default_rng(0).integers(0, 256, (30, 8, 6), np.uint8)).preprocessing


@pytest.mark.parametrize("name", ["a.png", "b.bmp", "c.tif", "d.pgm", "e e.PNG"])
def test_one_file_is_new_data(tmp_path, known, name):
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6), np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "z.png").write_bytes(b"another file")
    data = load_new(tmp_path / name, known)
    assert np.array_equal(data.test.x.numpy(), pixels[None])
    assert data.test.names == [name]
    assert len(data.train) == 0
    assert preprocess(tmp_path / name, known).shape == (1, 8, 6)


def test_one_file_is_too_little_to_train_on(tmp_path):
    Image.new("L", (6, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="only 1 example"):
        load_data(tmp_path / "a.png")


def test_a_damaged_file_is_named(tmp_path, known):
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a\.png"):
        load_new(tmp_path / "a.png", known)

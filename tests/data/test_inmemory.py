import io
import struct
import zlib
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from autoencode.data import load_data
from autoencode.errors import DataError

R = np.random.default_rng(0)
X = R.integers(0, 256, (15, 4, 6), np.uint8)
Y = np.arange(15) % 3


class Items(Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        if isinstance(self.items[i], Exception):
            raise self.items[i]
        return self.items[i]


class Stream(IterableDataset):
    def __iter__(self):
        yield from zip(X, Y, strict=True)


@pytest.mark.parametrize(
    "source",
    [
        (X, Y),
        (torch.from_numpy(X), torch.from_numpy(Y)),
        {"x": X, "y": Y},
        {"images": X, "labels": Y},
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        Items([(x, int(y)) for x, y in zip(X, Y, strict=True)]),
        Items([[x, torch.tensor([y])] for x, y in zip(X, Y, strict=True)]),
        Items([{"image": x, "label": y} for x, y in zip(X, Y, strict=True)]),
        Items([OrderedDict(pixel_values=x, target=y) for x, y in zip(X, Y, strict=True)]),
        Items([(Image.fromarray(x), y) for x, y in zip(X, Y, strict=True)]),
        Stream(),
    ],
    ids=lambda s: type(s).__name__,
)
def test_all_forms_hold_the_same(source):
    data = load_data(source)
    assert data.fingerprint == load_data((X, Y)).fingerprint
    assert (data.name, data.source) == ("array", "")
    assert data.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "source",
    [
        X,
        torch.from_numpy(X),
        X.tolist(),
        Items(list(X)),
        TensorDataset(torch.from_numpy(X)),
        (X, None),
    ],
    ids=lambda s: type(s).__name__,
)
def test_examples_without_labels(source):
    data = load_data(source, value_range=(0, 255))
    assert data.fingerprint == load_data(X).fingerprint


def test_tensors_with_gradients_and_of_half_precision_are_taken():
    x = torch.rand(6, 4, requires_grad=True)
    assert not load_data(x).train.x.requires_grad
    assert load_data(x.detach().bfloat16()).train.x.dtype == torch.float32


def test_parts_of_their_own_in_pairs_and_mappings():
    pairs = load_data(((X[:10], Y[:10]), (X[10:], Y[10:])))
    keys = {"x_train": X[:10], "y_train": Y[:10], "X_test": X[10:], "Y_test": Y[10:]}
    assert load_data(keys).fingerprint == pairs.fingerprint
    assert torch.equal(pairs.test.x, torch.from_numpy(X[10:]))
    three = load_data(
        {"train_images": X[:8], "val_images": X[8:10], "test_images": X[10:]}, validation=3
    )
    assert torch.equal(three.validation.x, torch.from_numpy(X[8:10]))
    assert any("its own validation part" in notice for notice in three.notices)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (object(), ["read from object"]),
        (3, ["read from int"]),
        (None, ["read from NoneType"]),
        ((X, Y, Y), ["tuple of length 3"]),
        ([[1, 2], [3]], ["no array"]),
        ({"a": X, "b": Y}, ["a, b", "x and y"]),
        (((X, Y), (X[:, :2], Y)), ["different shapes", "train (4, 6)", "test (2, 6)"]),
        (((X, Y), (X / 255, Y)), ["different types", "uint8", "float64"]),
        ({"x_test": X, "y_test": Y}, ["no training part"]),
        (Items([]), ["empty"]),
        (Items([X[0], X[0, :2]]), ["Item 1 ", "(2, 6)", "(4, 6)"]),
        (Items([X[0], X[0] / 255]), ["Item 1 ", "float64"]),
        (Items([X[0], OSError("gone")]), ["Item 1 ", "OSError: gone"]),
        (Items([{"sound": 1}]), ["sound", "pixel_values"]),
        (Items([(X[0], [1, 0])]), ["label of item 0", "(2,)"]),
        (Items([(X[0], 1), X[1]]), ["Item 1 ", "label"]),
    ],
)
def test_what_cannot_be_read_is_refused(source, words):
    with pytest.raises(DataError) as caught:
        load_data(source)
    assert all(word in str(caught.value) for word in words), caught.value


def _claiming(kind, width, height):
    """A small file of an image of which the header says that it has so many pixels."""
    file = io.BytesIO()
    Image.fromarray(X[0]).save(file, kind)
    content = bytearray(file.getvalue())
    place, form = {
        "PNG": (16, ">II"),
        "BMP": (18, "<II"),
        "GIF": (6, "<HH"),
        "PPM": (3, None),
        "TIFF": (None, None),
    }[kind]
    if kind == "PPM":
        return content.replace(b"6 4", f"{width} {height}".encode())
    if kind == "TIFF":
        for tag, value in ((256, width), (257, height)):
            at = next(
                at
                for at in range(len(content) - 12)
                if struct.unpack_from("<HHI", content, at) in ((tag, 3, 1), (tag, 4, 1))
            )
            struct.pack_into("<HHII", content, at, tag, 4, 1, value)
        return content
    struct.pack_into(form, content, place, width, height)
    if kind == "PNG":
        struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    return content


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "PPM", "TIFF"])
def test_images_that_are_not_decoded_yet_may_not_claim_too_many_pixels(kind):
    image = Image.open(io.BytesIO(_claiming(kind, 8000, 8001)))
    assert image.size == (8000, 8001)
    with pytest.raises(DataError, match=r"image 0 cannot be used: it has more than 50 million"):
        load_data([image] * 10)
    whole = Image.open(io.BytesIO(_claiming(kind, 6, 4)))
    assert load_data([whole] * 10).shape == (4, 6)


def test_an_image_that_is_cut_is_refused_before_it_is_decoded():
    file = io.BytesIO()
    Image.fromarray(X[0]).save(file, "JPEG")
    content = file.getvalue()
    at = content.index(b"\xff\xc0") + 5  # of the height in the frame's header
    damaged = content[:at] + struct.pack(">HH", 5000, 5001) + content[at + 4 :]
    with pytest.raises(DataError, match="it is too short for 5000×5001 pixels"):
        load_data([Image.open(io.BytesIO(damaged))] * 10)

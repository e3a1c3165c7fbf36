import numpy as np
import pytest
import torch

from autoencode.data import load_data
from autoencode.errors import DataError

X = np.random.default_rng(0).random((12, 4))


def joined(data):
    """Each example's first number with the name of its class."""
    parts = (data.train, data.validation, data.test)
    return {
        round(x[0].item(), 5): data.classes[y]
        for part in parts
        for x, y in zip(part.x, part.y, strict=True)
    }


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.arange(12) % 3, ("0", "1", "2")),
        (np.arange(12) % 3 * 5 - 2, ("-2", "3", "8")),
        ((np.arange(12) % 2).astype(np.float64), ("0", "1")),
        (np.arange(12)[:, None] % 3, ("0", "1", "2")),
        (["cat", "dog", "cat", "ant"] * 3, ("ant", "cat", "dog")),
        (np.array(["b", "a"] * 6, object), ("a", "b")),
        (np.array([b"b", b"a"] * 6), ("a", "b")),
        (torch.arange(12) % 2 == 0, ("False", "True")),
        (np.zeros(12, int), ("0",)),
    ],
)
def test_labels_become_positions_among_their_classes(labels, names):
    data = load_data((X, labels))
    assert data.classes == names
    assert data.train.y.dtype == torch.int64
    flat = np.ravel(labels)
    flat = [v.decode() if isinstance(v, bytes) else v for v in flat.tolist()]
    wanted = {
        round(float(np.float32(x[0])), 5): str(int(v) if isinstance(v, float) else v)
        for x, v in zip(X, flat, strict=True)
    }
    assert joined(data) == wanted


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (np.zeros(11), "12 examples and 11 labels"),
        (np.eye(12), "argmax"),
        (np.full(12, 0.5), "not classes"),
        (np.r_[np.zeros(11), -0.5], "label 11 is -0.5"),
        (np.full(12, np.inf), "not classes"),
        (np.array([(1,)] * 12 + [()], object)[:12], "type object"),
        (3, "shape ()"),
    ],
)
def test_labels_that_are_none_are_refused(labels, word):
    with pytest.raises(DataError) as caught:
        load_data(X, labels=labels)
    assert word in str(caught.value)


def test_labels_beside_the_source_and_from_a_file(tmp_path):
    y = np.arange(12) % 3
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", y)
    given = load_data(tmp_path / "x.npy", labels=y)
    read = load_data(tmp_path / "x.npy", labels=str(tmp_path / "y.npy"))
    assert joined(given) == joined(read)
    # Labels in memory cannot be had again, those in a file can.
    assert given.source == ""
    again = load_data(read.source, **read.options)
    assert again.fingerprint == read.fingerprint


def test_no_labels_are_none():
    data = load_data(X)
    assert data.train.y is data.test.y is None
    assert data.classes == ()


def test_labels_of_some_parts_only_are_left_out_with_a_notice():
    data = load_data({"x_train": X, "y_train": np.zeros(12), "x_test": X[:3] / 2})
    assert data.train.y is None
    assert any("labels" in notice for notice in data.notices)


def test_one_class_of_the_test_part_may_be_missing_in_training():
    data = load_data(((X, ["a"] * 12), (X[:2] / 2, ["a", "b"])))
    assert data.classes == ("a", "b")
    assert data.test.y.tolist() == [0, 1]


def test_labels_for_a_divided_source_are_refused():
    with pytest.raises(DataError, match="divided"):
        load_data({"x_train": X, "x_test": X}, labels=np.zeros(12))

import json

import numpy as np
import pytest
import torch

from autoencode.data import load_data
from autoencode.data.split.splits import draw, split
from autoencode.errors import DataError


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(3, (1, 1, 1)), (10, (7, 1, 2)), (100, (72, 8, 20)), (50_000, (37_500, 2500, 10_000))],
)
def test_sizes_of_the_parts(n, sizes):
    parts = split(n, None, 0, test=True, validation=True)
    assert tuple(len(parts[p]) for p in ("train", "validation", "test")) == sizes
    assert sorted(np.concatenate(list(parts.values()))) == list(range(n))


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_examples_are_refused(n):
    with pytest.raises(DataError, match="3 in total"):
        load_data(np.zeros((n, 4)))


def test_with_an_own_test_part_two_examples_are_enough():
    x = np.linspace(0, 1, 8).reshape(4, 2)
    data = load_data(((x[:2], None), (x[2:], None)))
    assert len(data.train) == len(data.validation) == 1
    assert torch.equal(data.test.x, torch.from_numpy(x[2:]).float())


def test_each_class_gives_its_share():
    labels = np.repeat([0, 1, 2], [700, 200, 100])
    parts = split(1000, labels, 0, test=True, validation=True)
    assert np.bincount(labels[parts["test"]]).tolist() == [140, 40, 20]
    assert np.bincount(labels[parts["validation"]]).tolist() == [56, 16, 8]


def test_classes_too_small_to_be_everywhere_are_drawn_from_together():
    labels = np.r_[np.zeros(80, int), np.arange(1, 21)]  # twenty classes of one
    rng = np.random.default_rng(0)
    drawn = [draw(10, labels, 100, rng) for _ in range(200)]
    assert all(mask[:80].sum() == 8 for mask in drawn)
    # Each of the twenty is drawn about one time in ten.
    assert min(np.sum(drawn, 0)[80:]) > 5


def test_singles_are_drawn_as_often_as_pairs():
    labels = np.r_[np.arange(50), np.repeat(np.arange(50, 75), 2)]
    rng = np.random.default_rng(0)
    times = sum(draw(20, labels, 100, rng).astype(int) for _ in range(200))
    assert times[:50].mean() == pytest.approx(40, rel=0.1)


def test_equal_remainders_are_settled_by_lot():
    labels = np.repeat(np.arange(10), 3)
    rng = np.random.default_rng(0)
    per_class = sum(np.bincount(labels[draw(5, labels, 30, rng)], minlength=10) for _ in range(200))
    assert per_class.sum() == 1000
    assert per_class.min() > 60


def test_the_seed_decides():
    x = np.random.default_rng(0).random((60, 2))
    one, same, other = load_data(x), load_data(x), load_data(x, seed=1)
    assert one.fingerprint == same.fingerprint
    assert torch.equal(one.test.x, same.test.x)
    assert not torch.equal(one.test.x, other.test.x)
    assert one.fingerprint != other.fingerprint
    own = {"x_train": x[:40], "x_test": x[40:]}
    parts = [load_data(own, seed=seed).validation.x for seed in (0, 0, 1)]
    assert torch.equal(parts[0], parts[1])
    assert not torch.equal(parts[0], parts[2])


def test_the_order_of_the_source_is_kept():
    x = np.arange(200).reshape(100, 2) / 200
    assert (load_data(x).train.x[:, 0].diff() > 0).all()


@pytest.mark.parametrize(("wanted", "count"), [(5, 5), (0.25, 20), (None, 8)])
def test_validation_by_number_and_fraction(wanted, count):
    data = load_data(np.random.default_rng(0).random((100, 2)), validation=wanted)
    assert len(data.validation) == count
    assert len(data.train) == 80 - count


def test_more_validation_than_there_is_is_refused():
    with pytest.raises(DataError, match="--validation"):
        load_data(np.random.default_rng(0).random((100, 2)), validation=80)


def test_the_options_are_fit_for_json_and_load_the_same_again(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 200, (40, 4, 6)))
    data = load_data(tmp_path / "x.npy", value_range=(0, 250), size=(5, 5), validation=0.3, seed=4)
    again = load_data(data.source, **json.loads(json.dumps(data.options)))
    assert again.fingerprint == data.fingerprint
    assert again.options == data.options


def test_the_fingerprint_knows_bytes_shapes_labels_types_and_the_division():
    x, y = np.random.default_rng(0).integers(0, 256, (40, 4, 6), np.uint8), np.arange(40) % 2
    variants = [
        load_data((x, y)),
        load_data((x ^ (np.arange(40) == 7)[:, None, None].astype(np.uint8), y)),
        load_data((x.reshape(40, 6, 4), y)),
        load_data((x, 1 - y)),
        load_data(x),
        load_data((x / 255, y)),
        load_data((x, y), validation=5),
        load_data((x, y), seed=3),
    ]
    assert len({data.fingerprint for data in variants}) == len(variants)


def test_examples_in_two_parts_get_a_notice():
    x = np.random.default_rng(0).random((30, 5))
    clean = load_data(((x[:20], None), (x[20:], None)))
    assert clean.notices == ()
    x[20] = x[3] = x[4]
    twice = load_data(((x[:20], None), (x[20:], None)))
    assert any("1 of 10 test examples also appear" in notice for notice in twice.notices)

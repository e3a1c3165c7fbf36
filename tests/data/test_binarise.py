"""Pixels drawn as bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoencode.data import load_data, still
from autoencode.errors import DataError
from autoencode.train.batches import Batches


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    """400 images of 4×4, each of one grey."""
    x = np.random.default_rng(0).integers(0, 256, (400, 1, 1), np.uint8)
    return np.broadcast_to(x, (400, 4, 4)).copy()


def is_bits(x: torch.Tensor) -> bool:
    return set(x.unique().tolist()) <= {0, 255}


def test_static_draws_every_part_once(grey: np.ndarray) -> None:
    data = load_data(grey, binarise="static")
    assert all(is_bits(part.x) for part in (data.train, data.validation, data.test))
    assert not data.train.random
    assert load_data(grey, binarise="static").fingerprint == data.fingerprint
    assert load_data(grey, binarise="static", seed=1).fingerprint != data.fingerprint


def test_a_pixel_is_white_as_often_as_it_is_bright(grey: np.ndarray) -> None:
    plain, data = load_data(grey), load_data(grey, binarise="static")
    share = data.train.x.float().mean((1, 2)) / 255
    expected = plain.train.x.float().mean((1, 2)) / 255
    # 16 bits for each of 288 images: a standard error below 0.13 each, 0.008 of the mean.
    assert (share - expected).mean().abs() < 0.03
    assert torch.corrcoef(torch.stack([share, expected]))[0, 1] > 0.9


def test_dynamic_keeps_training_greys_and_measures_on_the_bits_of_static(grey: np.ndarray) -> None:
    plain = load_data(grey)
    static, dynamic = (load_data(grey, binarise=how) for how in ("static", "dynamic"))
    assert dynamic.train.random
    assert torch.equal(dynamic.train.x, plain.train.x)
    assert torch.equal(dynamic.validation.x, static.validation.x)
    assert torch.equal(dynamic.test.x, static.test.x)


def test_dynamic_batches_are_drawn_anew(grey: np.ndarray) -> None:
    data = load_data(grey, binarise="dynamic")
    batches = Batches(data.train, None, 50, seed=0, device=torch.device("cpu"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, again = (batches[0].examples() for _ in range(2))
        torch.manual_seed(0)
        same = batches[0].examples()
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(first, again)
    assert torch.equal(first, same)


def test_still_is_one_draw_of_dynamic_parts_and_nothing_to_others(grey: np.ndarray) -> None:
    data = load_data(grey, binarise="dynamic")
    one = still(data.train)
    assert is_bits(one.x)
    assert not one.random
    assert torch.equal(one.x, still(data.train).x)
    assert still(data.test) is data.test


def test_the_options_of_a_run_keep_it(grey: np.ndarray) -> None:
    assert load_data(grey, binarise="dynamic").options["binarise"] == "dynamic"


def test_another_word_is_refused(grey: np.ndarray) -> None:
    with pytest.raises(DataError, match="dynamic"):
        load_data(grey, binarise="dynamik")

import numpy as np
import pytest
import torch

from autoencode.data import load_data, scaled
from autoencode.errors import DataError

R = np.random.default_rng(0)


def grey(n=12, dtype=np.uint8):
    return R.integers(0, 256, (n, 5, 7)).astype(dtype)


def refusal(source, **options):
    with pytest.raises(DataError) as caught:
        load_data(source, **options)
    return str(caught.value)


def everything(data):
    return torch.cat([data.train.x, data.validation.x, data.test.x])


def same_rows(a, b):
    rows = lambda x: sorted(map(tuple, np.asarray(x, np.float64).reshape(len(x), -1).round(6)))  # noqa: E731
    return rows(a) == rows(b)


def test_uint8_stays_as_it_came_and_is_scaled_when_asked():
    x = grey()
    data = load_data(x)
    assert data.train.x.dtype == torch.uint8
    assert data.shape == (5, 7)
    assert same_rows(everything(data), x)
    s = scaled(data.train.x)
    assert s.dtype == torch.float32
    assert torch.equal(s, data.train.x.float() / 255)
    assert scaled(s) is s


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_the_unit_range_become_float32(dtype):
    x = R.random((10, 4)).astype(dtype)
    data = load_data(x)
    assert data.train.x.dtype == torch.float32
    assert same_rows(everything(data), x.astype(np.float32))


def test_a_little_beyond_one_is_arithmetic_and_not_a_range():
    data = load_data(np.linspace(-1e-6, 1 + 1e-6, 40).reshape(10, 4))
    x = everything(data)
    assert x.min() == 0
    assert x.max() == 1


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (
            grey(dtype=np.int64),
            ["integers from", "--range 0 255", "value_range=(0,"],
        ),
        (grey(dtype=np.float64), ["floats from", "--range 0 255"]),
        (R.random((9, 4)) * 2 - 1, ["-1..1", "--range -1 1"]),
        (R.integers(0, 60_000, (9, 4)), ["0..65535", "--range 0 65535"]),
        (np.array([[0.0, -7.5], [1, 2], [3, 90.25]]), ["-7.5", "90.25", "--range -7.5 90.25"]),
    ],
)
def test_values_beyond_the_unit_range_are_refused_with_range_and_fix(x, words):
    told = refusal(x)
    assert all(word in told for word in words), told


def test_a_range_moves_values_to_the_unit_range():
    x = np.array([[-1.0, 0.0], [1.0, 0.5], [0.0, 0.0]])
    assert same_rows(everything(load_data(x, value_range=(-1, 1))), (x + 1) / 2)


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8, np.uint16])
def test_whole_numbers_in_0_to_255_become_uint8(dtype):
    x = grey(dtype=dtype)
    data = load_data(x, value_range=(0, 255))
    assert data.train.x.dtype == torch.uint8
    assert same_rows(everything(data), x)


def test_fractions_in_0_to_255_keep_their_fractions():
    x = np.array([[0.5, 127.5], [255.0, 1.0], [3.25, 4.0]])
    data = load_data(x, value_range=(0, 255))
    assert data.train.x.dtype == torch.float32
    assert same_rows(everything(data), x / 255)


def test_values_beyond_the_given_range_are_refused():
    told = refusal(np.array([[0, 300], [1, 2], [3, 4]]), value_range=(0, 255))
    assert "300" in told
    assert "--range 0 300" in told


def test_large_values_keep_their_digits_when_moved():
    x = np.array([[1e9, 1e9 + 1, 1e9 + 2, 1e9 + 4]] * 3)
    data = load_data(x, value_range=(1e9, 1e9 + 4))
    assert torch.equal(data.train.x[0], torch.tensor([0, 0.25, 0.5, 1]))


def test_a_float64_that_float32_cannot_hold_is_refused_as_a_range_and_not_as_infinity():
    assert "1e+39" in refusal(np.array([[1e39], [0.0], [0.0]]))


def test_uint8_of_zeros_and_ones_is_refused_until_its_meaning_is_said():
    mask = (grey() > 127).astype(np.uint8)
    told = refusal(mask)
    assert "--range 0 1" in told
    assert "--range 0 255" in told
    assert same_rows(everything(load_data(mask, value_range=(0, 1))), mask)
    assert load_data(mask, value_range=(0, 255)).train.x.max() == 1


def test_dark_uint8_images_get_a_notice_and_all_zero_ones_are_let_through():
    assert "--range 0 16" in load_data(np.minimum(grey(), 16)).notices[0]
    assert load_data(np.zeros((5, 2, 2), np.uint8)).train.x.max() == 0


def test_floats_divided_by_255_twice_get_a_notice():
    notices = load_data(R.random((10, 4)) / 255).notices
    assert any("twice" in notice for notice in notices)


def test_truth_values_and_small_whole_numbers_are_zero_and_one():
    mask = grey() > 127
    for x in (mask, mask.astype(np.int32)):
        data = load_data(x)
        assert data.train.x.dtype == torch.float32
        assert same_rows(everything(data), mask)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_first_index_and_count(bad):
    x = R.random((20, 3, 3))
    x[7, 1, 1] = x[11, 0, 0] = bad
    told = refusal(x)
    assert "Example 7 " in told
    assert "2 of 20" in told


@pytest.mark.parametrize(
    ("shape", "became"),
    [
        ((6, 8, 9, 3), (3, 8, 9)),
        ((6, 8, 9, 4), (4, 8, 9)),
        ((6, 8, 9, 1), (1, 8, 9)),
        ((6, 3, 8, 9), (3, 8, 9)),
        ((6, 1, 8, 9), (1, 8, 9)),
        ((6, 3, 9, 3), (3, 9, 3)),
        ((6, 8, 9), (8, 9)),
        ((6, 8), (8,)),
    ],
)
def test_shapes_as_they_came_with_channels_first(shape, became):
    x = R.random(shape)
    data = load_data(x)
    assert data.shape == became
    turned = np.moveaxis(x, -1, 1) if shape[1:] != became else x
    assert same_rows(everything(data), turned.astype(np.float32))


@pytest.mark.parametrize("shape", [(), (5,), (3, 2, 2, 2, 2), (0, 4), (4, 0)])
def test_wrong_ranks_and_empty_arrays_are_refused_with_their_shape(shape):
    assert str(shape) in refusal(np.zeros(shape))


@pytest.mark.parametrize("x", [np.array([["a"]]), np.zeros((4, 2), complex), np.array([[None]])])
def test_what_is_no_number_is_refused_with_its_type(x):
    assert str(x.dtype) in refusal(x)


def test_foreign_byte_order_reversed_views_and_borrowed_memory_are_taken():
    x = R.random((8, 4))
    frozen = x.copy()
    frozen.flags.writeable = False
    for odd, plain in [(x.astype(">f8"), x), (x[::-1, ::-1], x[::-1, ::-1]), (frozen, x)]:
        assert same_rows(everything(load_data(odd)), plain.astype(np.float32))


def test_what_is_loaded_is_not_the_callers_memory():
    x = grey(90)
    for source in (x, {"x_train": x[:30], "x_val": x[30:60], "x_test": x[60:]}):
        data = load_data(source)
        kept = everything(data).clone()
        x[:] = 255 - x
        assert torch.equal(everything(data), kept)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"on_bad": "skp"}, 'Did you mean "skip"'),
        ({"max_bad": 2}, "max_bad"),
        ({"max_bad": float("nan")}, "max_bad"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"size": 32}, "size"),
        ({"size": (0, 5)}, "size"),
        ({"value_range": (1, 0)}, "value_range"),
        ({"value_range": (0, float("inf"))}, "value_range"),
        ({"validation": 0}, "validation"),
        ({"validation": 1.5}, "validation"),
        ({"validation": True}, "validation"),
    ],
)
def test_options_without_meaning_are_refused_by_name(options, word):
    assert word in refusal(grey(), **options)


def test_an_image_array_is_resized_when_asked_and_a_vector_is_not():
    x = np.zeros((6, 10, 20), np.uint8)
    x[:, :, 2:18] = 200  # a square keeps the middle half
    data = load_data(x, size=(5, 5))
    assert data.shape == (5, 5)
    assert data.train.x.dtype == torch.uint8
    assert (data.train.x == 200).all()
    assert "5×5" in data.notices[0]
    assert "vectors" in refusal(R.random((5, 4)), size=(2, 2))


def test_resizing_keeps_to_the_values_that_the_image_had():
    x = np.zeros((4, 8, 8))
    x[:, 4:] = 0.5
    small = everything(load_data(x, size=(19, 19)))
    assert small.min() == 0
    assert small.max() == 0.5


def test_an_array_that_needs_more_memory_than_there_is_goes_to_the_disk(monkeypatch):
    x = R.random((100, 10))
    here = load_data(x)
    monkeypatch.setattr("autoencode.io.memory.available", lambda: 1000)
    there = load_data(x)
    assert there.fingerprint == here.fingerprint
    assert "not in memory" in there.notices[-1]

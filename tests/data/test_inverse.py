"""`Preprocessing.inverse` gives the raw values back, for each type and each layout."""

import numpy as np
import pytest
import torch

from autoencode.data import Preprocessing, load_data, scaled

R = np.random.default_rng(0)
N = 8
LAYOUTS = {
    "vectors": ((9,), None),
    "grey": ((6, 7), None),
    "one channel": ((1, 6, 7), False),
    "one channel last": ((6, 7, 1), True),
    "colour": ((3, 6, 7), False),
    "colour last": ((6, 7, 3), True),
    "5 bands": ((5, 6, 7), False),
    "5 bands last": ((6, 7, 5), True),
}
TYPES = ("bool", "uint8", "int8", "uint16", "int16", ">u2", ">i2", "float16", "float32", "float64")


def raw(dtype, shape):
    """Random values over the whole range of a type, and that range."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return R.random((N, *shape)) > 0.5, (0, 1)
    if kind.kind == "f":
        return R.uniform(-4, 4, (N, *shape)).astype(dtype), (-4, 4)
    info = np.iinfo(kind)
    x = R.integers(info.min, info.max, (N, *shape), kind.newbyteorder("="), endpoint=True)
    return x.astype(dtype), (int(info.min), int(info.max))


def examples(data):
    return torch.cat([data.train.x, data.validation.x, data.test.x])


def in_order(found, x):
    """The examples of `found` in the order of those of x that are nearest."""
    rows = found.reshape(N, -1).astype(float)
    distances = np.abs(rows[None] - x.reshape(N, 1, -1).astype(float)).max(-1)
    assert sorted(distances.argmin(1)) == list(range(N))
    return found[distances.argmin(1)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
def test_the_inverse_gives_the_raw_values_back(dtype, layout):
    shape, last = LAYOUTS[layout]
    x, span = raw(dtype, shape)
    data = load_data(x, value_range=span, channels_last=last)
    model_input = scaled(examples(data))
    assert model_input.dtype == torch.float32
    assert 0 <= model_input.min() <= model_input.max() <= 1
    for values in (examples(data), model_input, model_input.double(), model_input.numpy()):
        found = in_order(data.preprocessing.inverse(values), x)
        assert found.dtype == x.dtype.newbyteorder("=")
        assert found.shape == x.shape
        if x.dtype.kind == "f":
            error = np.abs(found.astype(float) - x).max()
            assert error <= 8 * np.finfo(np.float32).eps + 4 * np.finfo(x.dtype).eps
        else:
            np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize("layout", ["colour", "colour last", "5 bands", "5 bands last"])
def test_ranges_of_channels_are_undone_for_each(layout):
    shape, last = LAYOUTS[layout]
    factors = np.arange(1, (shape[-1] if last else shape[0]) + 1) * 100.0
    x = R.uniform(-1, 1, (N, *shape)) * (factors if last else factors[:, None, None])
    data = load_data(x, value_range="auto", per_channel=True, channels_last=last)
    low, high = np.array(data.preprocessing.low), np.array(data.preprocessing.high)
    assert len(set(low.tolist())) == len(factors)
    found = in_order(data.preprocessing.inverse(examples(data)), x)
    bounds = (low, high) if last else (low[:, None, None], high[:, None, None])
    np.testing.assert_allclose(found, x.clip(*bounds), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_long_integers_come_back_to_the_digits_of_float32(dtype):
    info = np.iinfo(dtype)
    preprocessing = Preprocessing(
        (3,), raw_type=dtype, low=float(info.min), high=float(info.max), range_source="given"
    )
    x = np.array([[info.min, info.max // 2, info.max]], dtype)
    found = preprocessing.inverse(preprocessing(x))
    assert found.dtype == dtype
    error = [abs(int(a) - int(b)) for a, b in zip(found[0], x[0], strict=True)]
    assert max(error) <= (int(info.max) - int(info.min)) / 2**23


def test_a_record_of_json_inverts_alike():
    x, _ = raw("uint16", (6, 7, 3))
    data = load_data(x, value_range="auto", per_channel=True)
    again = Preprocessing.from_dict(data.preprocessing.to_dict())
    assert again == data.preprocessing
    values = examples(data)
    np.testing.assert_array_equal(again.inverse(values), data.preprocessing.inverse(values))


@pytest.mark.parametrize(
    ("shape", "low", "high", "words"),
    [
        ((8, 8), (0.0,), 1.0, "0 to 1, become"),
        ((8, 8), 0.0, (2.0,), "0 to 2, become"),
        ((1, 8, 8), (1.0,), 2.0, "1 to 2, become"),
        ((3, 8, 8), (0.0, 1.0, 2.0), 5.0, "0 to 5, 1 to 5, 2 to 5"),
        ((12,), (-1.0,), (1.0,), "-1 to 1, become"),
        ((8, 8), 0.0, 1.0, "raw values 0 to 1 become"),
    ],
)
def test_ranges_of_channels_are_described(shape, low, high, words):
    kept = Preprocessing(shape, raw_shape=shape, low=low, high=high)
    again = Preprocessing.from_dict(kept.to_dict())
    assert words in str(again)

"""New data for a trained model: read as in training, or refused with a fix that works."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.data import load_data, load_new, preprocess
from autoencode.errors import DataError

R = np.random.default_rng(0)
N = 12


def integers(high, *shape, dtype=np.uint8, n=N):
    x = R.integers(0, high, (n, *shape), endpoint=True)
    x.reshape(n, -1)[:, :2] = 0, high
    return x.astype(dtype)


def model(x, **options):
    return load_data(x, **options).preprocessing


def refused(source, preprocessing, **options):
    with pytest.raises(DataError) as caught:
        load_new(source, preprocessing, **options)
    return str(caught.value)


def files(folder, x, ending="png"):
    """A folder with one image for each array."""
    folder.mkdir()
    for i, each in enumerate(x):
        Image.fromarray(np.moveaxis(each, 0, -1) if each.ndim == 3 else each).save(
            folder / f"{i:03}.{ending}"
        )
    return folder


BYTES = integers(255, 6, 8)
COLOUR = integers(255, 3, 6, 8)


@pytest.mark.parametrize(
    ("trained", "new", "options"),
    [
        (BYTES, BYTES / 255, {}),
        (BYTES, (BYTES / 255).astype(np.float32), {}),
        (BYTES / 255, BYTES, {}),
        (BYTES, BYTES.astype(np.int64), {"value_range": (0, 255)}),
        (BYTES, BYTES.astype(float), {"value_range": (0, 255)}),
        (BYTES, BYTES.astype(np.uint16) * 257, {"value_range": (0, 65535)}),
        (BYTES / 255, torch.from_numpy(BYTES), {}),
        (BYTES, BYTES / 127.5 - 1, {"value_range": (-1, 1)}),
        (COLOUR, np.moveaxis(COLOUR, 1, -1), {"channels_last": True}),
        (np.moveaxis(COLOUR, 1, -1), COLOUR, {"channels_last": False}),
        (np.moveaxis(COLOUR, 1, -1), np.moveaxis(COLOUR, 1, -1) / 255, {}),
        (COLOUR, [Image.fromarray(np.moveaxis(x, 0, -1)) for x in COLOUR], {}),
        (np.moveaxis(COLOUR, 1, -1), [Image.fromarray(np.moveaxis(x, 0, -1)) for x in COLOUR], {}),
    ],
)
def test_the_same_images_in_other_types_give_the_same_tensors(trained, new, options):
    preprocessing = model(trained)
    wanted = preprocess(trained, preprocessing)
    found = preprocess(new, preprocessing, **options)
    assert found.dtype == wanted.dtype == torch.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)


def test_another_range_is_stated_and_the_inverse_is_in_the_units_of_the_new_data():
    new = load_new(BYTES / 255, model(BYTES))
    assert any(
        "float64, of which 0 to 1 become 0 to 1; in training, raw values 0 to 255" in notice
        for notice in new.notices
    )
    np.testing.assert_allclose(new.preprocessing.inverse(new.test.x), BYTES / 255, atol=1e-6)
    back = load_new(BYTES, model(BYTES / 255))
    np.testing.assert_array_equal(back.preprocessing.inverse(back.test.x), BYTES)
    assert back.preprocessing.raw_type == "uint8"
    last = np.moveaxis(COLOUR, 1, -1)
    turned = load_new(last, model(COLOUR), channels_last=True)
    np.testing.assert_array_equal(turned.preprocessing.inverse(turned.test.x), last)


def test_new_images_of_one_type_need_not_be_bright():
    dark = (BYTES > 200).astype(np.uint8)  # 0 and 1
    new = load_new(dark, model(BYTES))
    assert new.test.x.max() == 1
    assert any("--range 0 1" in notice for notice in new.notices)


def test_png_files_of_16_bits_go_into_a_model_of_8_bits(tmp_path):
    preprocessing = model(files(tmp_path / "a", BYTES))
    deep = files(tmp_path / "b", BYTES.astype(np.uint16) * 257)
    new = load_new(deep, preprocessing)
    np.testing.assert_allclose(new.test.x, BYTES / 255, atol=1e-7)
    assert any("65535" in notice and "255" in notice for notice in new.notices)
    shallow = load_new(tmp_path / "a", model(deep))
    assert (shallow.test.x.numpy() == BYTES).all()


def test_grey_and_colour_files_become_what_the_model_takes(tmp_path):
    grey, colour = files(tmp_path / "grey", BYTES), files(tmp_path / "colour", COLOUR)
    new = load_new(grey, model(colour))
    assert (new.test.x.numpy() == BYTES[:, None]).all()
    assert any("copied to three channels" in notice for notice in new.notices)
    new = load_new(colour, model(grey))
    wanted = [
        np.asarray(Image.fromarray(np.moveaxis(x, 0, -1)).convert("L")).astype(int) for x in COLOUR
    ]
    assert np.abs(new.test.x.numpy() - np.stack(wanted)).max() <= 1
    assert any("became grey" in notice for notice in new.notices)
    one = model(BYTES[:, None])
    assert load_new(grey, one).test.x.shape == load_new(colour, one).test.x.shape == (N, 1, 6, 8)


@pytest.mark.parametrize("deep", [np.int16, np.float32])
def test_colour_of_any_type_becomes_grey(tmp_path, deep):
    tifffile = pytest.importorskip("tifffile")
    (tmp_path / "new").mkdir()
    x = integers(1, 3, 6, 8, dtype=deep)
    for i, each in enumerate(x):
        tifffile.imwrite(
            tmp_path / "new" / f"{i:03}.tif", np.moveaxis(each, 0, -1), photometric="rgb"
        )
    found = load_new(tmp_path / "new", model(integers(1, 6, 8, dtype=float))).test.x.numpy()
    wanted = np.tensordot(x, [0.299, 0.587, 0.114], (1, 0))
    np.testing.assert_allclose(found, np.rint(wanted) if deep == np.int16 else wanted, atol=1e-6)


def test_another_size_is_refused_until_it_is_asked_for(tmp_path):
    preprocessing = model(BYTES)
    large = integers(255, 12, 16)
    told = refused(large, preprocessing)
    assert "--size 6 8 (size=(6, 8))" in told
    new = load_new(large, preprocessing, size=(6, 8))
    assert new.test.x.shape == (N, 6, 8)
    assert any("resized from 12×16 to 6×8" in notice for notice in new.notices)
    folder = files(tmp_path / "large", large)
    assert "--size 6 8" in refused(folder, preprocessing)
    assert load_new(folder, preprocessing, size=(6, 8)).test.x.shape == (N, 6, 8)


def test_a_model_of_resized_images_resizes_new_ones():
    preprocessing = model(integers(255, 12, 16), size=(6, 8))
    new = load_new(integers(255, 30, 40), preprocessing)
    assert new.test.x.shape == (N, 6, 8)
    assert any("resized" in notice for notice in new.notices)


def test_values_outside_the_range_of_the_training_are_refused_with_their_range():
    preprocessing = model(integers(1000, 6, 8, dtype=np.uint16), value_range=(0, 1000))
    new = integers(3000, 6, 8, dtype=np.uint16)
    told = refused(new, preprocessing)
    assert "from 0 to 3000, outside the range that the model was trained with, 0 to 1000" in told
    low, high = re.search(r"value_range=\((.*?), (.*?)\)", told).groups()
    x = load_new(new, preprocessing, value_range=(float(low), float(high))).test.x
    assert (x.min(), x.max()) == (0, 1)


def test_floats_beyond_one_are_refused_by_a_model_of_floats():
    preprocessing = model(BYTES / 255)
    told = refused(BYTES.astype(float), preprocessing)
    assert "--range 0 255" in told
    found = preprocess(BYTES.astype(float), preprocessing, value_range=(0, 255))
    np.testing.assert_allclose(found, BYTES / 255, atol=1e-7)
    # A little beyond is arithmetic.
    assert load_new(BYTES / 255 * (1 + 1e-6), preprocessing).test.x.max() == 1


def test_values_beyond_percentiles_are_clipped_and_counted():
    preprocessing = model(R.random((40, 6, 8)), value_range="auto")
    x = R.random((N, 6, 8))
    x[:6] = 9
    new = load_new(x, preprocessing)
    assert new.test.x[:6].min() == 1
    assert any("50" in n and "beyond the range that the model" in n for n in new.notices)


def test_a_small_part_of_the_range_is_stated():
    preprocessing = model(integers(4095, 6, 8, dtype=np.uint16), value_range=(0, 4095))
    new = load_new(integers(255, 6, 8), preprocessing)
    assert any("--range 0 255" in notice for notice in new.notices)


def test_fractions_are_not_cut_for_a_model_of_whole_numbers():
    preprocessing = model(integers(255, 6, 8, dtype=float), value_range=(0, 255))
    assert preprocessing.stored == "uint8"
    x = integers(255, 6, 8) * 0.5
    new = load_new(x, preprocessing, value_range=(0, 255))
    np.testing.assert_allclose(new.test.x, x / 255, atol=1e-7)
    assert refused(x * 3, preprocessing)


# The examples that the model was trained on, the new array, and the fix: code, or an option.
OTHER_AXES = {
    "channels last": (COLOUR, np.moveaxis(COLOUR, 1, -1), "channels_last=True"),
    "channels first": (np.moveaxis(COLOUR, 1, -1), COLOUR, "channels_last=False"),
    "one image": (BYTES, BYTES[0], "x[None]"),
    "one colour image": (COLOUR, COLOUR[0], "x[None]"),
    "one image, channels last": (
        np.moveaxis(COLOUR, 1, -1),
        np.moveaxis(COLOUR[0], 0, -1),
        "x[None]",
    ),
    "one vector": (BYTES.reshape(N, -1), BYTES[0].ravel(), "x[None]"),
    "a channel too many": (BYTES, BYTES[:, None], "x.squeeze(1)"),
    "a channel too many, last": (BYTES, BYTES[..., None], "x.squeeze(-1)"),
    "a channel missing": (BYTES[:, None], BYTES, "np.stack([x] * 1, 1)"),
    "grey for colour": (COLOUR, BYTES, "np.stack([x] * 3, 1)"),
    "grey for colour, last": (np.moveaxis(COLOUR, 1, -1), BYTES, "np.stack([x] * 3, -1)"),
    "one channel for colour": (COLOUR, BYTES[:, None], "np.repeat(x, 3, 1)"),
    "colour for grey": (BYTES, COLOUR, "x.mean(1).astype(x.dtype)"),
    "colour for one channel": (
        BYTES[:, None],
        COLOUR,
        "x.mean(1, keepdims=True).astype(x.dtype)",
    ),
    "vectors for images": (BYTES, BYTES.reshape(N, -1), "x.reshape(len(x), 6, 8)"),
    "vectors for colour": (COLOUR, COLOUR.reshape(N, -1), "x.reshape(len(x), 3, 6, 8)"),
    "images for vectors": (BYTES.reshape(N, -1), BYTES, "x.reshape(len(x), 48)"),
}


@pytest.mark.parametrize("name", OTHER_AXES)
def test_other_axes_are_refused_with_a_fix_that_works(name):
    trained, x, fix = OTHER_AXES[name]
    preprocessing = model(trained)
    told = refused(x, preprocessing)
    assert fix in told, told
    if fix.startswith("channels_last"):
        assert f"--channels-{'last' if fix.endswith('True') else 'first'} ({fix})" in told
        new = load_new(x, preprocessing, **eval(f"dict({fix})"))
    else:
        new = load_new(eval(fix, {"x": x, "np": np}), preprocessing)
    assert new.test.x.shape[1:] == preprocessing.shape
    same = name.startswith(
        ("channels", "one image", "one colour", "vectors", "images", "a channel")
    )
    if same:
        wanted = preprocess(trained, preprocessing)[: len(new.test)]
        np.testing.assert_allclose(new.test.x / 255, wanted, atol=1e-7)


def test_other_shapes_without_a_fix_are_named():
    told = refused(integers(255, 5, 6, 8), model(COLOUR))
    assert "shape (5, 6, 8), and the model takes (3, 6, 8)" in told
    told = refused(integers(255, 50), model(integers(255, 48)))
    assert "(50,), and the model takes (48,)" in told


def test_data_of_the_training_load_again_as_they_were(tmp_path):
    for name, x, options in [
        ("floats", R.random((30, 6, 8)), {}),
        ("auto", R.normal(size=(30, 3, 6, 8)), {"value_range": "auto", "per_channel": True}),
        ("last", R.integers(0, 255, (30, 6, 8, 3), np.uint8), {}),
        ("given", R.integers(0, 99, (30, 6, 8)), {"value_range": (0, 100)}),
    ]:
        np.save(tmp_path / f"{name}.npy", x)
        data = load_data(tmp_path / f"{name}.npy", **options)
        again = load_data(data.source, preprocessing=data.preprocessing, **data.options)
        assert again.fingerprint == data.fingerprint
        assert again.preprocessing == data.preprocessing

"""Reconstructions as files, in the units, types and formats of the data."""

import numpy as np
import pytest
from PIL import Image

import autoencode as ae
from autoencode.data.read.image import decode, header
from autoencode.errors import AutoencodeError, DataError
from autoencode.use.reconstructions import write_reconstructions


def test_a_folder_holds_a_file_for_each_image(model, images, tmp_path):
    done = write_reconstructions(model, images, tmp_path / "out")
    x = ae.preprocess(images, model.preprocessing)
    wanted = ae.reconstruct(model, images)
    assert done.n == 30
    assert done.error == pytest.approx(float((x - wanted).square().sum() / 30), rel=1e-5)
    names = sorted(str(p.relative_to(images)) for p in images.rglob("*.png"))
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in tmp_path.rglob("*.png")) == names
    found = {name: picture(tmp_path / "out" / name)[0] for name in names}
    loaded = dict(
        zip([n for c in "ab" for n in sorted_naturally(names, c)], wanted.numpy(), strict=True)
    )
    for name in names:
        np.testing.assert_array_equal(found[name], np.rint(loaded[name] * 255))


def picture(path):
    """The pixels and the format of an image file."""
    with Image.open(path) as image:
        return np.asarray(image), image.format


def sorted_naturally(names, folder):
    own = [name for name in names if name.startswith(folder)]
    return sorted(own, key=lambda name: int(name[2:].split(".")[0]))


@pytest.mark.parametrize(
    ("shape", "dtype", "ending"),
    [
        ((6, 5, 3), np.uint8, "png"),
        ((6, 5, 3), np.uint8, "bmp"),
        ((6, 5), np.uint8, "tif"),
        ((6, 5), np.uint16, "png"),
        ((6, 5, 3), np.uint8, "webp"),
    ],
)
def test_images_keep_their_type_and_format(write_images, tmp_path, shape, dtype, ending):
    folder = write_images(tmp_path / "in", shape, ending=ending, dtype=dtype)
    model = ae.fit("ae", folder, latent=2, steps=1, progress=False).model
    done = write_reconstructions(model, folder, tmp_path / "out")
    assert done.notices == ()
    path = tmp_path / "out" / "a" / f"0.{ending}"
    head, original = header(path), header(folder / "a" / f"0.{ending}")
    assert (head.dtype, head.bands, head.size) == (original.dtype, original.bands, original.size)
    y = ae.reconstruct(model, folder)[:1]
    np.testing.assert_array_equal(decode(path, head), model.preprocessing.inverse(y.clamp(0, 1))[0])


def test_jpeg_files_stay_jpeg_and_it_is_said(write_images, tmp_path):
    folder = write_images(tmp_path / "in", (8, 8, 3), ending="jpg")
    model = ae.fit("ae", folder, latent=2, steps=1, progress=False).model
    done = write_reconstructions(model, folder, tmp_path / "out")
    assert "as JPEG" in done.notices[-1]
    assert picture(tmp_path / "out" / "a" / "0.jpg")[1] == "JPEG"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_arrays_keep_their_units_and_type(tmp_path, dtype):
    x = np.random.default_rng(0).integers(0, 200, (30, 4, 4)).astype(dtype)
    options = {} if dtype == np.uint8 else {"value_range": (0, 200)}
    np.save(tmp_path / "x.npy", x)
    data = ae.load_data(tmp_path / "x.npy", **options)
    model = ae.fit("ae", data, latent=2, steps=1, progress=False).model
    write_reconstructions(model, tmp_path / "x.npy", tmp_path / "y.npy", **options)
    y = np.load(tmp_path / "y.npy")
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    assert y.max() > 1


def test_channels_stay_last(tmp_path):
    x = np.random.default_rng(0).random((30, 5, 6, 3))
    data = ae.load_data(x, channels_last=True)
    model = ae.fit("ae", data, latent=2, steps=1, progress=False).model
    write_reconstructions(model, x, tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").shape == x.shape
    write_reconstructions(model, (x * 255).astype(np.uint8), tmp_path / "out")
    assert picture(tmp_path / "out" / "0.png")[0].shape == (5, 6, 3)


def test_rows_of_a_table(tmp_path):
    rows = ["key,a,b,c", *(f"r{i},{i},{i * 100},{'xy'[i % 2]}" for i in range(40))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    data = ae.load_data(tmp_path / "t.csv", id="key")
    model = ae.fit("ae", data, latent=2, steps=200, progress=False).model
    write_reconstructions(model, tmp_path / "t.csv", tmp_path / "out.csv", id="key")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "name,a,b,c"
    assert lines[1].startswith("r0,")
    values = np.array([line.split(",")[1:3] for line in lines[1:]], float)
    assert np.corrcoef(values[:, 1], np.arange(40))[0, 1] > 0.9
    assert values[:, 1].max() > 1000
    assert {line.split(",")[3] for line in lines[1:]} <= {"x", "y"}


def test_a_picture_shows_the_first_pairs(model, images, tmp_path):
    write_reconstructions(model, images, tmp_path / "p.png", pairs=4)
    height, width = picture(tmp_path / "p.png")[0].shape[:2]
    assert width > height


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.csv", "not one of a table"), ("out.txt", "unknown ending"), ("out.parquet", "x")],
)
def test_outputs_that_do_not_go_with_the_model(model, images, tmp_path, name, message):
    with pytest.raises(AutoencodeError, match=message if message != "x" else r"out\.npy"):
        write_reconstructions(model, images, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_a_folder_with_files_is_kept(model, images, tmp_path):
    (tmp_path / "out").mkdir()
    write_reconstructions(model, images, tmp_path / "out")  # an empty one is used
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(AutoencodeError, match="exists"):
        write_reconstructions(model, images, tmp_path / "out")
    write_reconstructions(model, images, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    with pytest.raises(DataError):
        write_reconstructions(model, np.zeros((3, 9, 9), np.uint8), tmp_path / "new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]

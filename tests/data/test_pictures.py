import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from autoencode.data import load_data
from autoencode.errors import DataError

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
GREY = RGB[..., 0]


@pytest.fixture
def one(tmp_path):
    """one(image, ending, **options) loads a folder of four copies and gives the first."""

    def loaded(image, ending="png", options=None, **save):
        for i in range(4):
            image.save(tmp_path / f"{i}.{ending}", **save)
        data = load_data(tmp_path, **(options or {}))
        return data.train.x[0], [n for n in data.notices if "also appear" not in n]

    return loaded


def is_(x, wanted):
    return x.shape == wanted.shape and (x.numpy() == wanted).all()


def test_grey_and_colour_keep_their_bytes(one):
    assert is_(one(Image.fromarray(GREY))[0], GREY)
    assert is_(one(Image.fromarray(RGB))[0], np.moveaxis(RGB, -1, 0))


def test_black_and_white_is_0_and_255(one):
    x, _ = one(Image.fromarray(GREY > 127))
    assert x.dtype == torch.uint8
    assert is_(x, (GREY > 127) * np.uint8(255))


def test_palettes_are_resolved_to_grey_or_colour(one, tmp_path):
    grey = Image.fromarray(GREY).convert("P")
    assert grey.mode == "P"
    assert is_(one(grey)[0], GREY)
    few = Image.fromarray(RGB // 128 * 255).quantize(8)
    assert is_(one(few)[0], np.moveaxis(np.asarray(few.convert("RGB")), -1, 0))


def test_cmyk_becomes_rgb(one):
    image = Image.fromarray(RGB).convert("CMYK")
    wanted = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
    assert is_(one(image, "tif")[0], wanted)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(one, mode):
    alpha = np.zeros((5, 7), np.uint8)
    alpha[:, :3], alpha[:, 3] = 255, 128
    if mode == "RGBA":
        image = Image.fromarray(np.dstack([RGB, alpha]))
        colour = np.moveaxis(RGB, -1, 0).astype(float)
    elif mode == "LA":
        image = Image.fromarray(np.dstack([GREY, alpha]), "LA")
        colour = GREY.astype(float)
    else:
        image = Image.fromarray((alpha == 0).astype(np.uint8), "P")
        image.putpalette([10, 20, 30, 0, 0, 0])
        image.info["transparency"] = 1
        colour = np.broadcast_to(np.array([10.0, 20, 30])[:, None, None], (3, 5, 7))
        alpha = (alpha > 0) * 255
    x, notices = one(image)
    wanted = colour * (alpha / 255) + 255 * (1 - alpha / 255)
    assert np.abs(x.numpy() - wanted).max() <= 1
    assert "white" in notices[0]


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_by_their_depth_and_not_clipped(one, ending):
    deep = GREY.astype(np.uint16) * 256 + 7
    deep[0, 0] = 40000
    x, _ = one(Image.fromarray(deep), ending)
    assert x.dtype == torch.float32
    assert np.allclose(x, deep / 65535)
    assert x[0, 0] == pytest.approx(40000 / 65535)


def test_a_range_overrides_the_depth(one):
    twelve = GREY.astype(np.uint16) * 16
    x, _ = one(Image.fromarray(twelve), "tif", {"value_range": (0, 4095)})
    assert np.allclose(x, twelve / 4095)


def test_float_images_keep_their_values_or_are_refused(one):
    half = (GREY / np.float32(510)).astype(np.float32)
    x, _ = one(Image.fromarray(half), "tif")
    assert np.allclose(x, half)
    with pytest.raises(DataError, match=r"--range 0 255"):
        one(Image.fromarray(GREY.astype(np.float32)), "tif")
    x, _ = one(Image.fromarray(GREY.astype(np.float32)), "tif", {"value_range": (0, 255)})
    assert is_(x, GREY)


def test_a_float_image_with_nan_is_named(tmp_path):
    values = np.zeros((4, 4), np.float32)
    for i in range(4):
        values[0, 0] = np.nan if i == 2 else 0
        Image.fromarray(values).save(tmp_path / f"{i}.tif")
    with pytest.raises(DataError, match=r"[Ee]xample 2 \(.*2\.tif\) contains NaN"):
        load_data(tmp_path)


def test_numbers_of_32_bits_need_a_range(one):
    deep = GREY.astype(np.int32) * 1000
    with pytest.raises(DataError, match=rf"--range {deep.min()} {deep.max()} "):
        one(Image.fromarray(deep), "tif")
    x, _ = one(Image.fromarray(deep), "tif", {"value_range": (0, 255000)})
    assert is_(x, (GREY / 255).astype(np.float32))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("ending", "mode"), [("png", "RGB"), ("tif", "I;16")])
def test_an_exif_orientation_is_carried_out(one, orientation, ending, mode):
    stored = RGB if mode == "RGB" else GREY.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What viewers do: orientation n says where the first row and the first column are.
    upright = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, 1),
    }[orientation](stored)
    x, _ = one(Image.fromarray(stored), ending, exif=exif)
    if mode == "RGB":
        assert is_(x, np.moveaxis(upright, -1, 0))
    else:
        assert np.allclose(x, upright / 65535)


def test_broken_metadata_do_not_spoil_an_image(one):
    assert is_(one(Image.fromarray(GREY), exif=b"Exif\0\0nonsense")[0], GREY)
    info = PngImagePlugin.PngInfo()
    info.add_text("XML:com.adobe.xmp", "<x tiff:Orientation='9'")
    assert is_(one(Image.fromarray(GREY), pnginfo=info)[0], GREY)


def test_of_several_frames_the_first_is_taken(one):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    x, notices = one(frames[0], "tif", save_all=True, append_images=frames[1:])
    assert is_(x, GREY)
    assert "first is used" in notices[0]


@pytest.mark.parametrize("ending", ["jpg", "webp", "bmp", "gif", "ppm"])
def test_other_formats_are_read(one, ending):
    x, _ = one(Image.new("RGB", (7, 5), (200, 40, 90)), ending)
    assert x.shape == (3, 5, 7)
    assert (x.float().mean((1, 2)) - torch.tensor([200.0, 40, 90])).abs().max() < 5


def test_mixed_depths_meet_in_floats(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "0.png")
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / "1.png")
    Image.fromarray((GREY / np.float32(255)).astype(np.float32)).save(tmp_path / "2.tif")
    data = load_data(tmp_path)
    for part in (data.train, data.validation, data.test):
        assert np.allclose(part.x[0], GREY / 255)
    assert "several types of values" in data.notices[0]
    assert "1.png is the first that differs" in data.notices[0]

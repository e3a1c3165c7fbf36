"""Image files with more bits, more bands or more frames than 8-bit colour."""

import re
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from autoencode.data import check_source, load_data, load_new
from autoencode.data.read.image import header
from autoencode.errors import DataError
from autoencode.io.files import Unusable

tifffile = pytest.importorskip("tifffile")
R = np.random.default_rng(0)
H, W = 6, 8


def png16(path, x, extra=b""):
    """A PNG with 16 bits a sample, written byte by byte: x is [H, W, 1 to 4], uint16."""

    def chunk(kind, body):
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    kind = {1: 0, 2: 4, 3: 2, 4: 6}[x.shape[2]]
    head = struct.pack(">IIBBBBB", x.shape[1], x.shape[0], 16, kind, 0, 0, 0)
    bpp, rows, above = 2 * x.shape[2], b"", bytes(2 * x.shape[1] * x.shape[2])
    for i, row in enumerate(x.astype(">u2")):
        plain = row.tobytes()
        # Filters "left" and "above" in turn.
        other = bytes(bpp) + plain[:-bpp] if i % 2 else above
        rows += bytes([1 if i % 2 else 2])
        rows += bytes((a - b) % 256 for a, b in zip(plain, other, strict=True))
        above = plain
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def values(dtype, shape):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return R.random(shape).astype(dtype)
    info = np.iinfo(kind)
    return R.integers(info.min, info.max, shape, dtype, endpoint=True)


def folder(tmp_path, write, count=4):
    """A folder of TIFFs; write(path, i) gives the pixels that it wrote."""
    return tmp_path, np.stack([write(tmp_path / f"{i}.tif", i) for i in range(count)])


def raw(data):
    """All examples in their own units, in the order of their names."""
    parts = [data.train, data.validation, data.test]
    x = data.preprocessing.inverse(torch.cat([part.x for part in parts]))
    order = np.argsort([name for part in parts for name in part.names])
    return x[order]


@pytest.mark.parametrize(
    ("dtype", "how"),
    [
        ("uint8", {}),
        ("uint8", {"photometric": "miniswhite"}),
        ("uint16", {}),
        ("uint16", {"byteorder": ">"}),
        ("uint16", {"compression": "zlib"}),
        ("uint16", {"photometric": "miniswhite"}),
        ("int8", {}),
        ("int16", {}),
        ("int16", {"byteorder": ">"}),
        ("int32", {}),
        ("uint32", {}),
        ("float16", {}),
        ("float32", {}),
        ("float64", {}),
        ("float64", {"byteorder": ">", "compression": "zlib"}),
    ],
)
def test_every_type_of_a_grey_tiff_keeps_its_bits(tmp_path, dtype, how):
    def write(path, i):
        x = values(dtype, (H, W))
        tifffile.imwrite(path, x, **how)
        inverted = how.get("photometric") == "miniswhite"
        return np.iinfo(dtype).max - x if inverted else x

    source, x = folder(tmp_path, write)
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else None
    options = {} if info is None else {"value_range": (int(info.min), int(info.max))}
    data = load_data(source, **options)
    assert data.preprocessing.raw_type == dtype
    found = raw(data)
    # A float32 between 0 and 1 has 24 bits.
    assert np.abs(found.astype(float) - x).max() <= (
        0 if x.itemsize < 4 else np.ptp(x * 1.0) * 1e-7
    )
    assert found.dtype == x.dtype


@pytest.mark.parametrize("bands", [2, 3, 4, 5, 12])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_bands_become_channels(tmp_path, bands, dtype, planar):
    def write(path, i):
        x = values(dtype, (bands, H, W))
        stored = x if planar == "separate" else np.moveaxis(x, 0, -1)
        tifffile.imwrite(path, stored, photometric="minisblack", planarconfig=planar)
        return x

    source, x = folder(tmp_path, write)
    data = load_data(source)
    assert data.shape == (bands, H, W)
    np.testing.assert_allclose(raw(data), x, rtol=1e-6)
    assert bands == 3 or f"{bands} bands" in " ".join(data.notices)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_files_of_16_bits_lose_none(tmp_path, channels):
    stored = []
    for i in range(4):
        x = values("uint16", (H, W, channels))
        if channels in (2, 4):
            x[..., -1] = np.where(R.random((H, W)) < 0.5, 65535, 0)
        png16(tmp_path / f"{i}.png", x)
        stored.append(x)
    x = np.moveaxis(np.stack(stored), -1, 1)
    if channels in (2, 4):
        x = np.where(x[:, -1:] == 0, 65535, x[:, :-1])
    data = load_data(tmp_path)
    np.testing.assert_array_equal(raw(data), x if x.shape[1] > 1 else x[:, 0])
    assert ("white" in " ".join(data.notices)) == (channels in (2, 4))


def test_a_clear_colour_of_a_png_of_16_bits_becomes_white(tmp_path):
    for i in range(4):
        x = values("uint16", (H, W, 3))
        x[0, 0] = 1, 2, 3
        body = b"tRNS" + struct.pack(">HHH", 1, 2, 3)
        clear = struct.pack(">I", 6) + body + struct.pack(">I", zlib.crc32(body))
        png16(tmp_path / f"{i}.png", x, clear)
    assert (raw(load_data(tmp_path))[:, :, 0, 0] == 65535).all()


def test_a_ppm_of_16_bits_loses_none(tmp_path):
    stored = [values("uint16", (H, W, 3)) for _ in range(4)]
    for i, x in enumerate(stored):
        head = f"P6 {W} {H} 65535\n".encode()
        (tmp_path / f"{i}.ppm").write_bytes(head + x.astype(">u2").tobytes())
    np.testing.assert_array_equal(raw(load_data(tmp_path)), np.moveaxis(stored, -1, 1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_a_fourth_band_is_transparency_only_if_it_says_so(tmp_path, dtype, kind):
    white = np.iinfo(dtype).max

    def write(path, i):
        x = values(dtype, (H, W, 4))
        x[..., 3] = np.where(R.random((H, W)) < 0.5, white, 0)
        x[x[..., 3] == 0] *= np.array([kind == "unassalpha"] * 3 + [False], dtype)
        tifffile.imwrite(path, x, photometric="rgb", extrasamples=[kind])
        return np.moveaxis(x, -1, 0)

    source, x = folder(tmp_path, write)
    data = load_data(source)
    if kind != "unspecified":
        x = np.where(x[:, 3:] == 0, white, x[:, :3])
    np.testing.assert_array_equal(raw(data), x)
    assert any("white" in notice for notice in data.notices) == (kind != "unspecified")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_of_a_tiff_with_bands_is_applied(tmp_path, orientation):
    x = values("uint16", (5, H, W))
    for i in range(4):
        tags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(
            tmp_path / f"{i}.tif",
            x,
            photometric="minisblack",
            planarconfig="separate",
            extratags=tags,
        )
    # The same by Pillow, which turns colour images.
    import PIL.ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.moveaxis(x[:3] // 256, 0, -1).astype(np.uint8)).save(
        tmp_path / "p.png", exif=exif
    )
    with Image.open(tmp_path / "p.png") as image:
        wanted = np.moveaxis(np.asarray(PIL.ImageOps.exif_transpose(image)), -1, 0)
    (tmp_path / "p.png").unlink()
    np.testing.assert_array_equal(raw(load_data(tmp_path))[0][:3] // 256, wanted)


@pytest.mark.parametrize("ending", ["tif", "gif", "deep"])
def test_of_several_frames_the_first_is_used_and_a_notice_says_so(tmp_path, ending):
    for i in range(4):
        if ending == "deep":
            frames = values("float64", (5, H, W))
            tifffile.imwrite(tmp_path / f"{i}.tif", frames, photometric="minisblack")
        else:
            frames = [Image.fromarray(x) for x in values("uint8", (5, H, W))]
            frames[0].save(tmp_path / f"{i}.{ending}", save_all=True, append_images=frames[1:])
    notice = next(n for n in load_data(tmp_path).notices if "frames" in n)
    first = "0.tif" if ending == "deep" else f"0.{ending}"
    assert notice == f"4 files have several frames, such as {first}; only the first is used."


def test_signed_numbers_are_refused_with_the_range_to_give(tmp_path):
    source, x = folder(
        tmp_path,
        lambda path, i: (
            x := R.integers(-1000, 3000, (H, W)).astype("int16"),
            tifffile.imwrite(path, x),
        )[0],
    )
    with pytest.raises(DataError, match=rf"--range {x.min()} {x.max()} ") as caught:
        load_data(source)
    assert check_source(source).problems == (str(caught.value),)
    for span in ((int(x.min()), int(x.max())), (-32768, 32767)):
        np.testing.assert_array_equal(raw(load_data(source, value_range=span)), x)


def test_twelve_bits_in_sixteen_get_the_notice_of_dark_images(tmp_path):
    source, x = folder(
        tmp_path,
        lambda path, i: (
            x := R.integers(0, 4096, (H, W)).astype("uint16"),
            tifffile.imwrite(path, x),
        )[0],
    )
    assert any("--range 0 4095" in notice for notice in load_data(source).notices)
    data = load_data(source, value_range=(0, 4095))
    assert not any("range" in notice for notice in data.notices)
    np.testing.assert_array_equal(raw(data), x)


def test_without_tifffile_bands_are_refused_with_what_to_install(tmp_path, monkeypatch):
    source, _ = folder(
        tmp_path,
        lambda path, i: (
            tifffile.imwrite(
                path, np.zeros((5, H, W), "u1"), photometric="minisblack", planarconfig="separate"
            )
            or np.zeros(1)
        ),
    )
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(DataError, match=r'5 bands of 8 bits.*pip install "autoencode\[tiff\]"'):
        load_data(source)


@pytest.mark.parametrize(
    ("first", "second"),
    [("uint8", "uint16"), ("uint16", "float32"), ("uint8", "int16"), ("int32", "float64")],
)
def test_mixed_types_name_a_file_and_advice_leads_to_an_end(tmp_path, first, second):
    for i, dtype in enumerate([first, first, first, second]):
        tifffile.imwrite(tmp_path / f"{i}.tif", values(dtype, (H, W)))
    options = {}
    for _ in range(2):  # no more than one refusal
        try:
            data = load_data(tmp_path, **options)
            break
        except DataError as error:
            span = re.search(r"value_range=\((.*?), (.*?)\)", str(error))
            options = {"value_range": (float(span[1]), float(span[2]))}
    assert any("3.tif is the first that differs" in notice for notice in data.notices)
    data = load_data(tmp_path, value_range=(-(2**31), 2**32))
    assert any("raw values of all files" in notice for notice in data.notices)


def test_a_file_with_other_bands_is_bad_and_can_be_skipped(tmp_path):
    for i in range(5):
        x = values("uint8", (4 if i == 2 else 5, H, W))
        tifffile.imwrite(
            tmp_path / f"{i}.tif", x, photometric="minisblack", planarconfig="separate"
        )
    with pytest.raises(DataError, match=r"2\.tif cannot be used: it has 4 bands, and most have 5"):
        load_data(tmp_path)
    data = load_data(tmp_path, on_bad="skip", max_bad=0.2)
    assert data.shape == (5, H, W)
    assert any("were skipped" in notice for notice in data.notices)


def test_new_files_of_bands_are_checked(tmp_path):
    source, _ = folder(tmp_path, lambda path, i: _bands(path, 5))
    model = load_data(source).preprocessing
    assert load_new(source, model).test.x.shape == (4, 5, H, W)
    other, _ = folder(_made(tmp_path / "other"), lambda path, i: _bands(path, 4))
    with pytest.raises(DataError, match=r"\(4, 6, 8\), and the model takes \(5, 6, 8\)"):
        load_new(other, model)
    grey = load_data(R.integers(0, 256, (5, H, W), np.uint8)).preprocessing
    with pytest.raises(DataError, match="the model takes"):
        load_new(other, grey)


def _made(path):
    path.mkdir()
    return path


def _bands(path, count):
    x = values("uint8", (count, H, W))
    tifffile.imwrite(path, x, photometric="minisblack", planarconfig="separate")
    return x


@pytest.mark.parametrize("what", ["volume", "complex", "cmyk", "cut", "many"])
def test_what_no_example_can_be_is_refused_with_the_reason(tmp_path, what):
    path = tmp_path / "0.tif"
    if what == "volume":
        x = values("uint16", (16, 16, 16))
        tifffile.imwrite(path, x.astype("f8"), volumetric=True, tile=(16, 16, 16))
    elif what == "complex":
        tifffile.imwrite(path, np.zeros((H, W), "c8"))
    elif what == "cmyk":
        tifffile.imwrite(path, values("uint16", (H, W, 4)), photometric="separated")
    elif what == "cut":
        tifffile.imwrite(path, values("float64", (90, 90)))
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        tifffile.imwrite(path, values("float64", (H, W)), software="x")
        whole = bytearray(path.read_bytes())
        for tag in (256, 257):  # width and height become huge
            place = whole.index(struct.pack("<H", tag))
            whole[place + 8 : place + 12] = struct.pack("<I", 10**6)
        path.write_bytes(whole)
    word = {
        "volume": "volume",
        "complex": "complex64",
        "cmyk": "CMYK",
        "cut": "damaged",
        "many": "million",
    }[what]
    with pytest.raises(DataError, match=word):
        load_data(tmp_path)


def test_avif_is_read_and_images_without_a_decoder_are_counted(tmp_path):
    from autoencode.data.read import image

    if ".avif" in image.ENDINGS:
        for i in range(4):
            Image.new("RGB", (W, H), (200, 40, 90)).save(tmp_path / f"{i}.avif", quality=100)
        x = load_data(tmp_path).train.x
        assert (x.float().mean((0, 2, 3)) - torch.tensor([200.0, 40, 90])).abs().max() < 4
    else:
        Image.new("RGB", (W, H)).save(tmp_path / "0.png")
    if image.UNREAD:
        ending, needed = next(iter(image.UNREAD.items()))
        (tmp_path / f"photo{ending}").write_bytes(b"x")
        notices = " ".join(load_data(tmp_path).notices)
        assert f"1 {ending} images were passed over" in notices
        assert needed in notices


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "jpg"), ("CMYK", "tif"), ("LAB", "tif")])
def test_converted_colours_are_stated(tmp_path, mode, ending):
    for i in range(4):
        image = Image.new("RGB", (W, H), (i, 40, 90))
        image = image.convert("CMYK") if mode == "CMYK" else Image.new("LAB", (W, H), (i, 40, 90))
        image.save(tmp_path / f"{i}.{ending}")
    assert f"{mode} became RGB in 4 images." in load_data(tmp_path).notices


@pytest.mark.parametrize("tag", [256, 257])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.int16])
def test_a_tiff_that_claims_no_pixels_is_refused(tmp_path, tag, dtype):
    """256 is the tag of the width, 257 that of the height."""
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "a.tiff"
    tifffile.imwrite(path, np.ones((4, 6), dtype))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite(0)
    with pytest.raises(Unusable):
        header(path)

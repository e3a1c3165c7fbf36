"""Damaged images in every format and mode that is read, as files, in folders and in memory."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import strategies as st
from PIL import Image

from autoencode.data import load_data
from autoencode.data.check import check_source
from autoencode.data.read.image import ENDINGS
from autoencode.errors import DataError

pytestmark = pytest.mark.long

RANDOM = np.random.default_rng(0)
COLOUR = Image.fromarray(RANDOM.integers(0, 256, (24, 20, 3), np.uint8))
FRAMES = [Image.fromarray(RANDOM.integers(0, 256, (24, 20), np.uint8)) for _ in range(3)]
EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010E] = 6, "a text"


def pillow(kind, mode, **options):
    file = io.BytesIO()
    COLOUR.convert(mode).save(file, kind, **options)
    return file.getvalue()


def many(kind, **options):
    file = io.BytesIO()
    FRAMES[0].save(file, kind, save_all=True, append_images=FRAMES[1:], **options)
    return file.getvalue()


def tiff(dtype, shape=(24, 20), **options):
    file = io.BytesIO()
    tifffile.imwrite(file, (RANDOM.random(shape) * 200).astype(dtype), **options)
    return file.getvalue()


def deep_png(colour):
    """A PNG with 16 bits a sample, which Pillow does not write."""
    rows = RANDOM.integers(0, 256, (24, 1 + 20 * 2 * {2: 3, 4: 2, 6: 4}[colour]), np.uint8)
    rows[:, 0] = 0
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 20, 24, 16, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


IMAGES = {
    **{f"{mode}.png": pillow("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")},
    "clear.png": pillow("PNG", "P", transparency=3),
    "exif.png": pillow("PNG", "RGB", exif=EXIF),
    "interlaced.png": pillow("PNG", "L", dpi=(90, 90)),
    "animated.png": many("PNG"),
    **{f"deep{colour}.png": deep_png(colour) for colour in (2, 4, 6)},
    **{f"{mode}.jpg": pillow("JPEG", mode) for mode in ("L", "RGB", "CMYK", "YCbCr")},
    "progressive.jpg": pillow("JPEG", "RGB", progressive=True, exif=EXIF),
    **{f"{mode}.bmp": pillow("BMP", mode) for mode in ("1", "L", "P", "RGB", "RGBA")},
    **{f"{mode}.gif": pillow("GIF", mode) for mode in ("1", "L", "P", "RGB")},
    "animated.gif": many("GIF", duration=20),
    **{
        f"{mode}-{how}.tif": pillow("TIFF", mode, compression=how)
        for mode, how in (
            *(("1", "group4"), ("L", "tiff_lzw"), ("RGB", "tiff_adobe_deflate"), ("P", None)),
            *(("CMYK", "packbits"), ("RGBA", "raw"), ("F", "raw"), ("I;16", "raw"), ("LAB", "raw")),
            *(("RGB", "jpeg"), ("I", "tiff_deflate")),
        )
    },
    "many.tif": many("TIFF"),
    **{
        f"{dtype}.tif": tiff(dtype) for dtype in ("uint32", "float16", "float64", "uint64", "int16")
    },
    "deep.tif": tiff("uint16", (24, 20, 3), photometric="rgb", compression="zlib"),
    "bands.tif": tiff("uint8", (5, 24, 20), photometric="minisblack", planarconfig="separate"),
    "big.tif": tiff("float64", bigtiff=True, tile=(16, 16)),
    "pages.tif": tiff("float64", (3, 24, 20), photometric="minisblack"),
    **{f"{mode}.webp": pillow("WEBP", mode) for mode in ("RGB", "RGBA")},
    "animated.webp": many("WEBP"),
    **{f"{mode}.ppm": pillow("PPM", mode) for mode in ("1", "L", "RGB", "I;16")},
    "deep.ppm": b"P6 20 24 65535\n" + RANDOM.bytes(20 * 24 * 6),
    "text.pgm": b"P2 20 24 255\n" + b" 7" * 480,
}
IMAGES |= {"x.avif": pillow("AVIF", "RGB")} if ".avif" in ENDINGS else {}


@st.composite
def chunks_png(draw):
    """A PNG whose chunks are repeated, reordered or overwritten, with right checksums."""
    content, found = IMAGES[draw(st.sampled_from(("P.png", "clear.png", "exif.png")))], []
    content = content if draw(st.booleans()) else IMAGES["animated.png"]
    at = 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(draw(st.integers(1, 3))):
        i = draw(st.integers(0, len(found) - 1))
        name, body = found[i]
        other = draw(st.sampled_from((b"tRNS", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"PLTE", name)))
        body = bytearray(body)
        place = draw(st.integers(0, max(len(body) - 1, 0)))
        body[place : place + 4] = draw(st.sampled_from((b"\0" * 4, b"\xff" * 4, b"", b"\0\0\4\0")))
        replaced = [(other, bytes(body))]
        found[i : i + draw(st.integers(0, 1))] = replaced * draw(st.integers(0, 2))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in found
    )


@pytest.fixture
def drawn(damaged):
    """A damaged image of any kind: (ending, content)."""
    pairs = st.sampled_from(sorted(IMAGES)).flatmap(
        lambda name: st.tuples(st.just(name.split(".")[1]), damaged(IMAGES[name], most=2))
    )
    return pairs | st.tuples(st.just("png"), chunks_png())


@pytest.fixture
def folder(tmp_path):
    """folder(ending, content): a folder with nine good images and the damaged one."""

    def made(ending, content):
        for old in tmp_path.glob("bad.*"):
            old.unlink()
        (tmp_path / f"bad.{ending}").write_bytes(content)
        return tmp_path

    for i in range(9):
        COLOUR.rotate(180 * i).save(tmp_path / f"{i}.png")
    return made


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_each_kind_of_image_is_read_when_it_is_not_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(IMAGES[name])
    report = check_source(tmp_path / name)
    assert "damaged" not in " ".join(report.problems)


def test_damaged_images_are_refused_by_name(fuzz, drawn, folder):
    def read(value):
        source = folder(*value)
        try:
            load_data(source, size=(24, 20), value_range=(0, 255))
        except DataError as error:
            # Others are of the values or the bands of an image that is intact.
            if "cannot be used" in (text := str(error)) and not text.startswith(f"{source}/bad."):
                raise ValueError("the message does not name the file") from error
            raise

    fuzz(drawn, read)


def test_damaged_images_are_skipped(fuzz, drawn, folder):
    def read(value):
        data = load_data(
            folder(*value), on_bad="skip", max_bad=1.0, size=(24, 20), value_range="auto"
        )
        assert len(data.train) + len(data.validation) + len(data.test) >= 9

    fuzz(drawn, read)


def test_single_damaged_images(fuzz, drawn, tmp_path):
    def read(value):
        path = tmp_path / f"x.{value[0]}"
        path.write_bytes(value[1])
        check_source(path)
        load_data(path)

    fuzz(drawn, read)


def test_damaged_images_that_pillow_has_opened(fuzz, drawn):
    def read(value):
        try:
            image = Image.open(io.BytesIO(value[1]))
        except Exception:
            return  # raised in the caller's own code
        load_data([image] * 10)

    fuzz(drawn, read)

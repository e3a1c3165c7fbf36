"""PNG files that are decoded many at a time, against Pillow."""

import zlib
from io import BytesIO
from struct import pack

import numpy as np
import pytest
from PIL import Image

from autoencode.data.read.png import pixels_of, plain_png


def chunk(kind, content):
    return pack(">I", len(content)) + kind + content + pack(">I", zlib.crc32(kind + content))


def png(rows, width, bands=1, extra=b"", depth=8, interlaced=0, pieces=1):
    """A file with these filtered rows, [height, 1 + width · bands]."""
    colour = {1: 0, 3: 2}[bands]
    header = pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, interlaced)
    data = zlib.compress(rows.tobytes())
    step = -(-len(data) // pieces)
    parts = b"".join(chunk(b"IDAT", data[i : i + step]) for i in range(0, len(data), step))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + parts + chunk(b"IEND", b"")


def filtered_rows(height, width, bands, seed):
    """Random bytes with random filters: every such file is valid."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, 256, (height, 1 + width * bands), np.uint8)
    rows[:, 0] = draw.integers(0, 5, height)
    return rows


def by_pillow(content):
    pixels = np.asarray(Image.open(BytesIO(content)))
    return np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (5, 17), (33, 2), (1, 40)])
def test_every_filter_is_undone(size, bands):
    files = [png(filtered_rows(*size, bands, seed), size[1], bands) for seed in range(20)]
    found = pixels_of([plain_png(file) for file in files])
    np.testing.assert_array_equal(found, [by_pillow(file) for file in files])


@pytest.mark.parametrize("kind", range(5))
def test_files_of_one_filter(kind):
    rows = filtered_rows(6, 7, 3, 0)
    rows[:, 0] = kind
    content = png(rows, 7, 3)
    np.testing.assert_array_equal(pixels_of([plain_png(content)])[0], by_pillow(content))


def test_files_that_pillow_writes():
    draw = np.random.default_rng(0)
    smooth = (np.add.outer(np.arange(9), np.arange(12)) * 9).astype(np.uint8)
    for image in (smooth, draw.integers(0, 256, (9, 12, 3), np.uint8), np.zeros((9, 12), np.uint8)):
        file = BytesIO()
        Image.fromarray(image).save(file, "PNG")
        found = pixels_of([plain_png(file.getvalue())])[0]
        np.testing.assert_array_equal(found, by_pillow(file.getvalue()))


def test_text_resolution_and_divided_data_are_plain():
    rows = filtered_rows(8, 8, 1, 3)
    content = png(rows, 8, extra=chunk(b"tEXt", b"a\0b") + chunk(b"pHYs", bytes(9)), pieces=3)
    np.testing.assert_array_equal(pixels_of([plain_png(content)])[0], by_pillow(content))


def test_what_is_not_plain_is_left_to_the_general_decoder():
    rows = filtered_rows(8, 8, 1, 0)
    good = png(rows, 8)
    others = {
        "transparency": png(rows, 8, extra=chunk(b"tRNS", b"\0\1")),
        "orientation": png(rows, 8, extra=chunk(b"eXIf", bytes(8))),
        "unknown": png(rows, 8, extra=chunk(b"abCd", b"")),
        "depth": png(rows, 4, depth=16),
        "interlaced": png(rows, 8, interlaced=1),
        "empty": b"",
        "cut": good[:-9],
        "cut in the data": good[:60],
        "too few rows": png(rows[:-1], 8)[:16] + good[16:33] + png(rows[:-1], 8)[33:],
        "too many rows": png(rows, 8)[:33] + png(np.tile(rows, (9, 1)), 8)[33:],
        "no image": b"GIF89a" + bytes(80),
    }
    for mode in ("P", "LA", "RGBA", "1", "I;16"):
        file = BytesIO()
        Image.new(mode, (8, 8)).save(file, "PNG")
        others[mode] = file.getvalue()
    for name, content in others.items():
        assert plain_png(content) is None, name
    flipped = [
        i
        for i in range(len(good))
        if plain_png(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :]) is not None
    ]
    assert flipped == []


def test_a_filter_that_does_not_exist_is_no_image():
    rows = filtered_rows(8, 8, 1, 0)
    rows[3, 0] = 5
    assert pixels_of([plain_png(png(rows, 8))]) is None

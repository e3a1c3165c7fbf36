"""PNG files with 8 bits, grey or RGB, decoded many at a time.

An image library takes most of its time for small images to find out what a file is. Here, the
filters of PNG are undone for many files at once. What is not plain (palettes, transparency, other
depths, interlacing, orientation, damage) is left to the general decoder, `image.decode`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from struct import unpack_from
from typing import NamedTuple

import numpy as np

_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_BANDS = {0: 1, 2: 3}  # colour types: grey, RGB
# Chunks that do not change the pixels: text, time, resolution, and colour spaces, which Pillow does
# not apply either.
_IGNORED = frozenset(
    [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"pHYs", b"gAMA", b"sRGB", b"cHRM", b"iCCP", b"bKGD"]
)
# Larger files gain nothing.
_MAX_PIXELS = 2**16
MAX_BYTES = 2**18


class PlainPng(NamedTuple):
    """An unpacked PNG file: its size, its bands (1 or 3), and its rows before their filters."""

    height: int
    width: int
    bands: int
    rows: bytes


def plain_png(content: bytes) -> PlainPng | None:
    """Unpack a PNG file; None if it is not plain, or damaged."""
    if not content.startswith(_START) or len(content) < 57:
        return None
    width, height, depth, colour, packing, filters, interlaced = unpack_from(
        ">IIBBBBB", content, 16
    )
    bands = _BANDS.get(colour)
    if bands is None or depth != 8 or packing or filters or interlaced:
        return None
    if not 0 < width * height <= _MAX_PIXELS:
        return None
    size = height * (1 + width * bands)
    at, pieces = 8, []
    while True:
        # A file that ends early has no checksum there, which differs.
        length = int.from_bytes(content[at : at + 4], "big")
        kind, end = content[at + 4 : at + 8], at + 8 + length
        if zlib.crc32(content[at + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            return None
        if kind == b"IDAT":
            pieces.append(content[at + 8 : end])
        elif kind == b"IEND":
            break
        elif kind not in _IGNORED and at > 8:
            return None
        at = end + 4
        if at >= len(content):
            return None
    try:
        unpacker = zlib.decompressobj()
        rows = unpacker.decompress(b"".join(pieces), size + 1)
    except zlib.error:
        return None
    if len(rows) != size or not unpacker.eof:
        return None
    return PlainPng(height, width, bands, rows)


def pixels_of(images: Sequence[PlainPng]) -> np.ndarray | None:
    """The pixels of unpacked files of one size: uint8, [n, H, W] grey or [n, 3, H, W] colour.

    None if a row has a filter that does not exist.
    """
    height, width, bands, _ = images[0]
    n = len(images)
    rows = np.frombuffer(b"".join(image.rows for image in images), np.uint8)
    rows = rows.reshape(n, height, 1 + width * bands)
    kinds = rows[:, :, 0]
    if kinds.max() > 4:
        return None
    # The files are the last axis, so that each operation is on many.
    out = np.ascontiguousarray(rows[:, :, 1:].transpose(1, 2, 0)).reshape(height, width, bands, n)
    above = np.zeros((width, bands, n), np.uint8)
    for row, kind in zip(out, kinds.T, strict=True):
        for filtered, undo in _FILTERS.items():
            chosen = np.flatnonzero(kind == filtered)
            if len(chosen) == n:
                undo(row, above)
            elif len(chosen):
                own = row[..., chosen]
                undo(own, above[..., chosen])
                row[..., chosen] = own
        above = row
    if bands == 1:
        return np.ascontiguousarray(out[:, :, 0].transpose(2, 0, 1))
    return np.ascontiguousarray(out.transpose(3, 2, 0, 1))


def _undo_sub(row: np.ndarray, above: np.ndarray) -> None:
    np.cumsum(row, 0, np.uint8, row)


def _undo_up(row: np.ndarray, above: np.ndarray) -> None:
    row += above


def _undo_average(row: np.ndarray, above: np.ndarray) -> None:
    left = np.zeros(row.shape[1:], np.uint16)
    for values, up in zip(row, above, strict=True):
        values += ((left + up) >> 1).astype(np.uint8)
        left = values.astype(np.uint16)


def _undo_paeth(row: np.ndarray, above: np.ndarray) -> None:
    a = np.zeros(row.shape[1:], np.int16)  # left
    c = a  # above left
    for values, b in zip(row, above.astype(np.int16), strict=True):
        to_b, to_a = a - c, b - c  # the estimate a + b − c, less b and less a
        distance_a, distance_b, distance_c = np.abs(to_a), np.abs(to_b), np.abs(to_a + to_b)
        nearest = np.where(distance_b <= distance_c, b, c)
        first = (distance_a <= distance_b) & (distance_a <= distance_c)
        values += np.where(first, a, nearest).astype(np.uint8)
        a, c = values.astype(np.int16), b


# Of the filter types 1 to 4; 0 leaves a row as it is.  Source: the PNG specification, section 9.
_FILTERS = {1: _undo_sub, 2: _undo_up, 3: _undo_average, 4: _undo_paeth}

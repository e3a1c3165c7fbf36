"""Decode one image file to an array, or give the reason why it cannot be used.

8-bit grey stays grey and colour becomes RGB; 16-bit and float grey keeps its depth. Palettes are
resolved; CMYK, YCbCr, LAB and HSV become RGB; black-and-white becomes 0 and 255; transparent parts
become white; the EXIF orientation is applied; of several frames the first is used.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from autoencode.io.files import Unusable, open_file

_JPEG, _TIFF, _PLAIN = ("jpg", "jpeg", "jpe"), ("tif", "tiff"), ("pbm", "pgm", "ppm", "pnm")
ENDINGS = frozenset(f".{e}" for e in ("png", "bmp", "gif", "webp", *_JPEG, *_TIFF, *_PLAIN))
# Some of Pillow's other decoders start programs, and most are rarely tested.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 50_000_000  # of one image: 150 MB as RGB
_GREY = {"1", "L", "LA", "La"}
_ORIENTATION = 0x0112
_Turn = Image.Transpose
# The operations that undo EXIF orientations; the last four exchange height and width.
_TURNS = {
    2: _Turn.FLIP_LEFT_RIGHT,
    3: _Turn.ROTATE_180,
    4: _Turn.FLIP_TOP_BOTTOM,
    5: _Turn.TRANSPOSE,
    6: _Turn.ROTATE_270,
    7: _Turn.TRANSVERSE,
    8: _Turn.ROTATE_90,
}


@dataclass(frozen=True)
class Header:
    """The properties of an image before its pixels are decoded.

    size: height and width, upright.   dtype: uint8, uint16 or float32.
    """

    size: tuple[int, int]
    colour: bool
    dtype: np.dtype
    alpha: bool
    frames: bool


def header(path: str | Path | IO[bytes]) -> Header:
    """Read the header of an image file, at a path or open; it is closed at the end.

    Raises:
        Unusable: no file, no image, or too many pixels.
    """
    with _image(path) as image:
        width, height = image.size
        # For a TIFF, Pillow gives the upright size. It would decode a complete PNG to find metadata
        # behind the pixels; `decode` checks these.
        has_exif = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
        if has_exif and _orientation(image) in (5, 6, 7, 8):
            width, height = height, width
        return Header(
            (height, width),
            _is_colour(image),
            _depth(image.mode),
            image.has_transparency_data,
            getattr(image, "is_animated", False),
        )


def decode(path: str | Path | IO[bytes], expected: Header) -> np.ndarray:
    """Read all pixels: [H, W] grey or [3, H, W] colour, of the header's type.

    Raises:
        Unusable: damaged, or different from the header.
    """
    with _image(path) as image:
        try:
            image.load()
            array = pixels(image)
        except MemoryError:
            raise
        except Exception as error:
            # Damaged files make decoders raise exceptions of almost every type.
            raise Unusable(f"it is damaged: {error}") from error
        if array.shape[-2:] != expected.size or array.dtype != expected.dtype:
            raise Unusable("its header and its pixels disagree, or it changed while it was read")
        return array


def pixels(image: Image.Image) -> np.ndarray:
    """A loaded image as an array: uint8, uint16 or float32, [H, W] grey or [3, H, W] colour."""
    dtype, colour = _depth(image.mode), _is_colour(image)
    if (turn := _TURNS.get(_orientation(image))) is not None:
        image = image.transpose(turn)
    if dtype != np.uint8:
        array = np.asarray(image)
        if array.dtype.kind in "iu" and (array.min() < 0 or array.max() > 65535):
            raise ValueError(f"its values, {array.min()} to {array.max()}, exceed 16 bits")
        array = array.astype(dtype)
    else:
        if image.has_transparency_data:
            front = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
        array = np.asarray(image.convert("RGB" if colour else "L"))
        array = np.moveaxis(array, -1, 0) if colour else array
    return np.ascontiguousarray(array)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Make Pillow's warning of large images an error, and ignore warnings about metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _image(path: str | Path | IO[bytes]) -> Iterator[Image.Image]:
    with open_file(path) if isinstance(path, str | Path) else path as file:
        head = file.read(16)
        file.seek(0)
        if not head:
            raise Unusable("it is empty")
        try:
            image = Image.open(file, formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise Unusable(_TOO_LARGE) from error
        except UnidentifiedImageError as error:
            begin = head.decode("ascii", "replace").split("\n")[0]
            text = f", and begins with {begin!r}" if begin.isprintable() else ""
            raise Unusable(f"it is not an image{text}") from error
        except MemoryError:
            raise
        except Exception as error:
            raise Unusable(f"it is damaged: {error}") from error
        if image.width * image.height > MAX_PIXELS:
            raise Unusable(_TOO_LARGE)
        with image:
            yield image


_TOO_LARGE = f"it has more than {MAX_PIXELS // 10**6} million pixels"


def _is_colour(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        table = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((table != table[:, :1]).any())
    return image.mode not in _GREY and _depth(image.mode) == np.uint8


def _depth(mode: str) -> np.dtype:
    if mode.startswith("I"):
        return np.dtype(np.uint16)
    return np.dtype(np.float32 if mode == "F" else np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata are ignored
        return 1

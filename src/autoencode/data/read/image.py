"""Decode one image file to an array, or give the reason why it cannot be used.

Grey stays grey, colour becomes RGB, and other bands stay as they are; each keeps its type, such as
uint8, uint16, int16 or float32. Palettes are resolved; CMYK, YCbCr, LAB and HSV become RGB;
black-and-white becomes 0 and 255; transparent parts become white; the EXIF orientation is applied;
of several frames the first is used.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from autoencode.data.read import tiff
from autoencode.io.files import Unusable, open_file, said

_JPEG, _TIFF, _PLAIN = ("jpg", "jpeg", "jpe"), ("tif", "tiff"), ("pbm", "pgm", "ppm", "pnm")
_HEIF = find_spec("pillow_heif") is not None
_AVIF = bool(features.check("avif"))
_MODERN = {"avif": _AVIF, "heic": _HEIF, "heif": _HEIF}
ENDINGS = frozenset(
    f".{e}"
    for e in (
        *("png", "bmp", "gif", "webp", *_JPEG, *_TIFF, *_PLAIN),
        *(ending for ending, has in _MODERN.items() if has),
    )
)
# Images that this installation cannot read: ending -> what to install.
UNREAD = {
    f".{ending}": "pillow with AVIF: pip install --upgrade pillow"
    if ending == "avif"
    else "pillow-heif: pip install pillow-heif"
    for ending, has in _MODERN.items()
    if not has
}
# Some of Pillow's other decoders start programs, and most are rarely tested.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "AVIF", "HEIF")
MAX_PIXELS = 50_000_000  # of one image: 150 MB as RGB
_JPEG_PIXELS = 512  # per byte at most: each block of 8×8 pixels takes a bit
_GREY = {"1", "L", "LA", "La"}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Header:
    """The properties of an image before its pixels are decoded.

    size: height and width, upright.   bands: 1 for grey, 3 for colour.
    dtype: the type of the values.   alpha: it has transparent parts.
    several: there are several images in the file.
    note: what decoding loses, such as "CMYK became RGB"; "" for nothing.
    """

    size: tuple[int, int]
    bands: int
    dtype: np.dtype
    alpha: bool
    several: bool
    note: str = ""


def header(path: str | Path | IO[bytes]) -> Header:
    """Read the header of an image file, at a path or open; it is closed at the end.

    Raises:
        Unusable: no file, no image, or too many pixels.
    """
    with _decoding(), _opened(path) as (file, tags):
        if tags is not None and tags.dtype is None:
            page, _ = tiff.read_page(file, tags, MAX_PIXELS, pixels=False)
            turned = page.orientation in (5, 6, 7, 8)
            return Header(
                page.size[::-1] if turned else page.size,
                page.bands - (page.alpha is not None),
                page.dtype,
                page.alpha is not None,
                page.several,
            )
        with _image(file) as image:
            return describe(image, tags)


def decode(path: str | Path | IO[bytes], expected: Header) -> np.ndarray:
    """Read all pixels: [H, W] grey, or [C, H, W] with several bands, of the header's type.

    Raises:
        Unusable: damaged, or different from the header.
    """
    with _decoding(), _opened(path) as (file, tags):
        if tags is not None and tags.dtype is None:
            page, bands = tiff.read_page(file, tags, MAX_PIXELS, pixels=True)
            assert bands is not None  # asked for
            array = _upright(bands if len(bands) > 1 else bands[0], page.orientation)
        else:
            with _image(file) as image:
                deep = _deep(file, image)
                if deep is None:
                    image.load()
                array = pixels(image, tags) if deep is None else deep
        if array.shape[-2:] != expected.size or array.dtype != expected.dtype:
            raise Unusable("its header and its pixels disagree, or it changed while it was read")
        return array


def describe(image: Image.Image, tags: tiff.Tags | None = None) -> Header:
    """The header of an image that Pillow has opened."""
    width, height = image.size
    # For a TIFF, Pillow gives the upright size. It would decode a complete PNG to find metadata
    # behind the pixels; `decode` checks these.
    has_exif = image.format != "TIFF" and (image.format != "PNG" or "exif" in image.info)
    if has_exif and _orientation(image) in (5, 6, 7, 8):
        width, height = height, width
    deep = _deep_mode(image) is not None
    note = ""
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        note = f"{image.mode} became RGB"
    if max(image.info.get("bit_depth", 8), _avif_bits(image)) > 8:
        note = "more than 8 bits per channel became 8"
    return Header(
        (height, width),
        3 if _is_colour(image) else 1,
        np.dtype(np.uint16) if deep else _depth(image, tags),
        image.has_transparency_data,
        getattr(image, "is_animated", False),  # their number would need all of them
        note,
    )


def pixels(image: Image.Image, tags: tiff.Tags | None = None) -> np.ndarray:
    """A loaded image as an array, [H, W] grey or [3, H, W] colour; see the module."""
    dtype, colour = _depth(image, tags), _is_colour(image)
    if dtype != np.uint8:
        array = np.asarray(image)
        if dtype in (np.dtype(np.uint32), np.dtype(np.int8)):
            array = array.view(dtype)  # Pillow has no name for these types
        array = array.astype(dtype)
        if tags is not None and tags.inverted:
            array = np.iinfo(dtype).max - array
        if (clear := image.info.get("transparency")) is not None:
            array = np.where(array == clear, _white(dtype), array).astype(dtype)
    else:
        if image.has_transparency_data:
            front = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", front.size, "white"), front)
        array = np.asarray(image.convert("RGB" if colour else "L"))
        array = np.moveaxis(array, -1, 0) if colour else array
    return _upright(array, _orientation(image))


def read_image(image: Image.Image) -> tuple[np.ndarray, Header]:
    """The pixels and the header of an image object of Pillow.

    Raises:
        Unusable: it is damaged, or not decoded yet and has too many pixels.
    """
    with _decoding():
        file: Any = getattr(image, "fp", None)
        if file is not None and getattr(image, "tile", None):
            _check_size(image, file)
        tags = tiff.tags_of(image.tag_v2) if hasattr(image, "tag_v2") else None
        found = describe(image, tags if tags and tags.dtype else None)
        if tags is not None and tags.dtype is None:
            found = replace(found, note="Pillow dropped bits or bands of TIFF files")
        array = None if file is None else _deep(file, image)
        return pixels(image, None) if array is None else array, found


def _deep_mode(image: Image.Image) -> str | None:
    """How the samples of a PNG or PPM with 16 bits are stored that Pillow would cut to 8 bits."""
    tiles = getattr(image, "tile", None)  # none after loading
    if not tiles:
        return None
    how = tiles[0].args
    if image.format == "PNG" and how in ("RGB;16B", "RGBA;16B", "LA;16B"):
        return str(how)
    deep = image.format == "PPM" and image.mode == "RGB" and isinstance(how, tuple)
    return "PPM" if deep and how[1] > 255 else None


def _deep(file: IO[bytes], image: Image.Image) -> np.ndarray | None:
    """The pixels of a colour image with 16 bits that Pillow would cut to 8; None for others."""
    mode = _deep_mode(image)
    if mode is None:
        return None
    if mode == "PPM":
        codec, _, offset, (_, top) = image.tile[0]  # type: ignore[attr-defined]  # of a file
        if codec != "ppm":
            raise Unusable("it is a text file with 16 bits; save it as PNG")
        width, height = image.size
        file.seek(offset)
        values = np.frombuffer(file.read(6 * width * height), ">u2").reshape(height, width, 3)
        array = np.rint(values * (65535 / top)).astype(np.uint16)
    elif mode == "LA;16B":
        # The four bytes of a pixel are taken as a pixel of four bands.
        array = np.ascontiguousarray(_reread(file, "RGBA")).view(">u2").astype(np.uint16)
    else:
        # Pillow takes one byte of each sample: the first, or as if it were the other order, the
        # second.
        high, low = (_reread(file, mode.replace("16B", end)) for end in ("16B", "16L"))
        array = high.astype(np.uint16) << 8 | low
    array = np.moveaxis(array, -1, 0)
    if mode in ("RGBA;16B", "LA;16B"):
        array = tiff.on_white(array, len(array) - 1, associated=False)
    elif (clear := image.info.get("transparency")) is not None:
        is_clear = (array == np.array(clear)[:, None, None]).all(0)
        array = np.where(is_clear, np.uint16(65535), array)
    image.load()  # finds metadata behind the pixels
    return _upright(array if len(array) > 1 else array[0], _orientation(image))


def _reread(file: IO[bytes], raw_mode: str) -> np.ndarray:
    """The pixels of a PNG with another interpretation of its bytes."""
    file.seek(0)
    with Image.open(file, formats=["PNG"]) as image:
        image.tile = [image.tile[0]._replace(args=raw_mode)]
        image.load()
        return np.array(image)


def _upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """An image [..., H, W] after its EXIF orientation is applied."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(-1, -2)
    if orientation in (3, 4, 7, 8):
        array = array[..., ::-1, :]
    if orientation in (2, 3, 6, 7):
        array = array[..., ::-1]
    return np.ascontiguousarray(array)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Make Pillow's warning of large images an error, and ignore warnings about metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _decoding() -> Iterator[None]:
    """Everything that decodes is in such a block, also what only reads a property of an image."""
    try:
        yield
    except (Unusable, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Unusable(_TOO_LARGE) from error
    except Exception as error:
        # Damaged files make decoders raise exceptions of almost every type.
        raise Unusable(f"it is damaged: {said(error)}") from error


@contextmanager
def _opened(path: str | Path | IO[bytes]) -> Iterator[tuple[IO[bytes], tiff.Tags | None]]:
    """The file at its beginning, and the tags of a TIFF."""
    with open_file(path) if isinstance(path, str | Path) else path as file:
        head = file.read(4)
        file.seek(0)
        if not head:
            raise Unusable("it is empty")
        yield file, tiff.read_tags(file) if head in tiff.MAGIC else None


@contextmanager
def _image(file: IO[bytes]) -> Iterator[Image.Image]:
    if _HEIF:
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        image = Image.open(file, formats=[name for name in FORMATS if _has(name)])
    except UnidentifiedImageError as error:
        file.seek(0)
        begin = file.read(16).decode("ascii", "replace").split("\n")[0]
        text = f", and begins with {begin!r}" if begin.isprintable() else ""
        raise Unusable(f"it is not an image{text}") from error
    _check_size(image, file)
    with image:
        yield image


def _check_size(image: Image.Image, file: IO[bytes]) -> None:
    """Refuses an image without pixels, or with more than it may have, before it is decoded."""
    if not image.width * image.height:
        raise Unusable("it has no pixels")
    if image.width * image.height > MAX_PIXELS:
        raise Unusable(_TOO_LARGE)
    # A JPEG that ends early is filled up with grey, without an error.
    if image.format == "JPEG" and image.width * image.height > _JPEG_PIXELS * file.seek(0, 2):
        raise Unusable(f"it is damaged: it is too short for {image.height}×{image.width} pixels")


_TOO_LARGE = f"it has more than {MAX_PIXELS // 10**6} million pixels"


def _has(name: str) -> bool:
    return {"AVIF": _AVIF, "HEIF": _HEIF}.get(name, True)


def _is_colour(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        table = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((table != table[:, :1]).any())
    if _deep_mode(image) == "LA;16B":
        return False
    return image.mode not in _GREY and image.mode[0] not in "IF"


def _depth(image: Image.Image, tags: tiff.Tags | None) -> np.dtype:
    """The type of the values: of a TIFF by its tags, else by Pillow's mode."""
    if tags is not None and tags.dtype is not None:
        return tags.dtype
    if image.mode == "I" and image.format != "PPM":
        return np.dtype(np.int32)
    if image.mode.startswith("I"):
        return np.dtype(np.uint16)
    return np.dtype(np.float32 if image.mode == "F" else np.uint8)


def _white(dtype: np.dtype) -> int:
    return 1 if dtype.kind == "f" else int(np.iinfo(dtype).max)


def _avif_bits(image: Image.Image) -> int:
    """Bits per channel of an AVIF image, from the record of its codec; 8 for other images."""
    file: Any = getattr(image, "fp", None)
    if image.format != "AVIF" or file is None:
        return 8
    place = file.tell()
    file.seek(0)
    codec = re.search(rb"av1C..(.)", file.read(4096), re.DOTALL)
    file.seek(place)
    return 10 if codec and codec[1][0] & 0x40 else 8


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata are ignored
        return 1

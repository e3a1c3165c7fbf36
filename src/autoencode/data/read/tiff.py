"""TIFF files whose bits or bands Pillow would not read in full, decoded by tifffile."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from autoencode.io.files import Unusable, said

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two are of BigTIFF
_WHITE_IS_ZERO, _RGB, _PALETTE = 0, 2, 3
_PHOTOMETRICS = {3: "a palette", 5: "CMYK", 6: "YCbCr", 8: "LAB"}
# Types of one sample that Pillow reads in full: (format, bits) -> type.
_SINGLE = {
    (1, 12): np.uint16,
    (1, 16): np.uint16,
    (1, 32): np.uint32,
    (2, 8): np.int8,
    (2, 16): np.int16,
    (2, 32): np.int32,
    (3, 32): np.float32,
}
# What is damaged is an error of this package, and not also a line of tifffile's log.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
_NEEDS = 'which need tifffile: pip install "autoencode[tiff]"'


@dataclass(frozen=True)
class Tags:
    """The tags of the first image of a TIFF file that say what its samples are.

    dtype: the type of the values if Pillow reads all of their bits and bands, else None.
    """

    bits: tuple[int, ...]
    formats: tuple[int, ...]
    bands: int
    photometric: int
    extra: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype | None:
        """See the class."""
        if max(self.bits) <= 8 and set(self.formats) <= {1, 4}:
            # The bands that photometric counts, and transparency.
            known = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}.get(self.photometric)
            plain = known == self.bands - len(self.extra) and 0 not in self.extra
            return np.dtype(np.uint8) if plain else None
        found = _SINGLE.get((self.formats[0], self.bits[0]))
        single = self.bands == 1 and self.photometric in (0, 1) and found is not None
        return np.dtype(found) if single else None

    @property
    def inverted(self) -> bool:
        """Whether 0 is white and Pillow does not change that."""
        return self.photometric == _WHITE_IS_ZERO and max(self.bits) > 8 and self.formats[0] == 1


def read_tags(file: IO[bytes]) -> Tags | None:
    """The tags of a TIFF file at its beginning; None if they are damaged."""
    try:
        head = file.read(8)
        head += file.read(8) if 43 in head[2:4] else b""
        tags: Any = ImageFileDirectory_v2(head)
        file.seek(tags.next)
        tags.load(file)
        return tags_of(tags)
    except Exception:  # damaged tags raise exceptions of almost every type
        return None
    finally:
        file.seek(0)


def tags_of(tags: Any) -> Tags:
    """The same from Pillow's directory of tags."""
    return Tags(
        tuple(map(int, tags.get(258, (1,)))),
        tuple(map(int, tags.get(339, (1,)))),
        int(tags.get(277, 1)),
        int(tags.get(262, 1)),
        tuple(map(int, tags.get(338, ()))),
    )


@dataclass(frozen=True)
class Page:
    """The first image of a TIFF file, as tifffile sees it.

    size: height and width as stored.
    several: the file has more images.
    alpha: position of the band of transparency, None without.
    """

    size: tuple[int, int]
    bands: int
    dtype: np.dtype
    alpha: int | None
    several: bool
    orientation: int


def read_page(
    file: IO[bytes], tags: Tags, max_values: int, *, pixels: bool
) -> tuple[Page, np.ndarray | None]:
    """The properties of the first image, and with `pixels` its bands [C, H, W] as stored.

    Raises:
        Unusable: tifffile is missing or cannot read it.
    """
    what = f"it has {tags.bands} band{'' if tags.bands == 1 else 's'} of {max(tags.bits)} bits"
    if tags.photometric in _PHOTOMETRICS:
        colours = _PHOTOMETRICS[tags.photometric]
        raise Unusable(f"{what} in {colours}; convert it to RGB or grey")
    try:
        import tifffile
    except ImportError as error:
        raise Unusable(f"{what}, {_NEEDS}") from error
    try:
        with tifffile.TiffFile(file, name="image") as opened:
            page = opened.pages[0].aspage()
            dtype, count = page.dtype, page.samplesperpixel
            if page.imagedepth > 1 or dtype is None or dtype.kind not in "buif":
                kind = "is a volume" if page.imagedepth > 1 else f"has values of type {dtype}"
                raise Unusable(f"it {kind}; save images of real numbers")
            if not page.imagelength * page.imagewidth * count:
                raise Unusable("it has no pixels")
            if page.imagelength * page.imagewidth * count > max_values:
                raise Unusable(f"it has more than {max_values // 10**6} million values")
            alpha = next((i for i, kind in enumerate(tags.extra) if kind in (1, 2)), None)
            tag = page.tags.get(274)
            found = Page(
                (page.imagelength, page.imagewidth),
                count,
                dtype.newbyteorder("="),
                None if alpha is None else count - len(tags.extra) + alpha,
                _has_two(opened.pages),
                1 if tag is None else int(tag.value),
            )
            if not pixels:
                return found, None
            values = page.asarray(maxworkers=1)
            if page.axes == "YXS":
                values = np.moveaxis(values, -1, 0)
            values = values.reshape(count, *found.size).astype(found.dtype, copy=False)
    except (Unusable, MemoryError):
        raise
    except Exception as error:
        # Damaged files make decoders raise exceptions of almost every type.
        missing = "imagecodecs" in str(error)
        needs = f"its compression needs imagecodecs: {_NEEDS[11:]}"
        raise Unusable(needs if missing else f"it is damaged: {said(error)}") from error
    if tags.photometric == _WHITE_IS_ZERO and found.dtype.kind == "u":
        values = np.iinfo(found.dtype).max - values
    if found.alpha is not None:
        values = on_white(values, found.alpha, associated=tags.extra[alpha or 0] == 1)
    return found, values


def _has_two(pages: Any) -> bool:
    try:
        return bool(pages[1])
    except IndexError:
        return False


def on_white(values: np.ndarray, alpha: int, *, associated: bool) -> np.ndarray:
    """Bands [C, H, W], of which one is the opacity, before a white background, [C − 1, H, W].

    associated: the bands are already multiplied by the opacity.
    """
    white = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max
    opacity = values[alpha] / np.float64(white)
    bands = np.delete(values, alpha, 0)
    mixed = bands * (1 if associated else opacity) + white * (1 - opacity)
    mixed = mixed if values.dtype.kind == "f" else np.rint(mixed).clip(max=white)
    done: np.ndarray = mixed.astype(values.dtype)
    return done

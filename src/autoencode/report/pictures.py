"""Pictures without words, as the command line writes them: every pixel a sharp square."""

from __future__ import annotations

from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

from PIL import Image
from torch import Tensor

from autoencode.data import scaled
from autoencode.errors import AutoencodeError, DataError
from autoencode.io.store import write_bytes
from autoencode.report.images import Tiles, enlarge, montage, pairs, tiles

# Pixels of one image's longer side, at least.
SIDE = 112
# Between two images, as a fraction of one.
GAP = 1 / 28
FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF"}


def grid_picture(images: Tensor, columns: int | None = None) -> Image.Image:
    """Images [N, *X] in reading order, by default in a square: samples, for instance.

    Images are uint8, or float in [0, 1].

    Raises:
        DataError: there are none.
    """
    pictures, gap = _sharp(images)
    columns = ceil(sqrt(len(pictures))) if columns is None else columns
    return Image.fromarray(montage(pictures, min(columns, len(pictures)), gap))


def strip_picture(images: Tensor) -> Image.Image:
    """Images [N, *X] in one row: the way from one to another, for instance."""
    return grid_picture(images, len(images))


def pairs_picture(originals: Tensor, reconstructions: Tensor, columns: int = 10) -> Image.Image:
    """Each original [N, *X] above its reconstruction [N, *X], in rows of pairs.

    Raises:
        DataError: there are none, or not one reconstruction for each original.
    """
    if len(originals) != len(reconstructions):
        raise DataError(
            f"There are {len(originals)} originals and {len(reconstructions)} reconstructions"
        )
    above, gap = _sharp(originals)
    below, _ = _sharp(reconstructions)
    sheet = montage(pairs(above, below, gap), min(columns, len(above)), 3 * gap)
    return Image.fromarray(sheet)


def save_picture(picture: Image.Image, path: str | Path) -> Path:
    """Writes a picture whole or not at all; the name's ending says the format, mostly .png.

    Raises:
        AutoencodeError: the ending is of no format that can be written.
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise AutoencodeError(
            f'{path} has the ending "{path.suffix}", which is of no picture that can be written',
            f"Use one of: {', '.join(FORMATS)}.",
        )
    buffer = BytesIO()
    picture.save(buffer, FORMATS[path.suffix.lower()], quality=95)
    write_bytes(path, buffer.getvalue())
    return path


def _sharp(images: Tensor) -> tuple[Tiles, int]:
    if not len(images):
        raise DataError("There are no images to draw")
    pictures = tiles(scaled(images), kind=images.dim() - 1)
    factor = max(1, ceil(SIDE / max(pictures.shape[1:3])))
    return enlarge(pictures, factor), max(1, round(GAP * factor * pictures.shape[2]))

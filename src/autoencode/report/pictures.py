"""Image files that the command line writes: grids and pairs of examples, without text."""

from __future__ import annotations

from io import BytesIO
from math import ceil, sqrt
from pathlib import Path

from PIL import Image
from torch import Tensor

from autoencode.data import scaled
from autoencode.errors import AutoencodeError, DataError
from autoencode.io.folders import sweep_beside
from autoencode.io.store import write_bytes
from autoencode.report.images import Tiles, enlarge, montage, pairs, tiles

# Minimum length of the longer side of one image, in pixels.
SIDE = 112
# Between two images, as a fraction of their width.
GAP = 1 / 28
FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF"}


def grid_picture(images: Tensor, columns: int | None = None) -> Image.Image:
    """Images [N, *X] (uint8, or float in [0, 1]) in reading order, by default in a square.

    Raises:
        DataError: no images.
    """
    pictures, gap = _sharp(images)
    columns = ceil(sqrt(len(pictures))) if columns is None else columns
    return Image.fromarray(montage(pictures, min(columns, len(pictures)), gap))


def strip_picture(images: Tensor) -> Image.Image:
    """Images [N, *X] in one row, an interpolation for example."""
    return grid_picture(images, len(images))


def pairs_picture(originals: Tensor, reconstructions: Tensor, columns: int = 10) -> Image.Image:
    """Each original [N, *X] above its reconstruction [N, *X], in rows of pairs.

    Raises:
        DataError: no images, or not one reconstruction for each original.
    """
    if len(originals) != len(reconstructions):
        raise DataError(
            f"There are {len(originals)} originals and {len(reconstructions)} reconstructions",
            "Give one reconstruction for each original.",
        )
    above, gap = _sharp(originals)
    below, _ = _sharp(reconstructions)
    sheet = montage(pairs(above, below, gap), min(columns, len(above)), 3 * gap)
    return Image.fromarray(sheet)


def save_picture(picture: Image.Image, path: str | Path) -> Path:
    """Write an image file, completely or not at all, in the format of its extension.

    Raises:
        AutoencodeError: no image format has this extension.
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise AutoencodeError(
            f'{path} has the extension "{path.suffix}", which is not that of an image format',
            f"Use one of: {', '.join(FORMATS)}.",
        )
    buffer = BytesIO()
    picture.save(buffer, FORMATS[path.suffix.lower()], quality=95)
    sweep_beside(path)
    write_bytes(path, buffer.getvalue())
    return path


def _sharp(images: Tensor) -> tuple[Tiles, int]:
    if not len(images):
        raise DataError("There are no images to draw", "Give one image or more.")
    pictures = tiles(scaled(images), kind=images.dim() - 1)
    factor = max(1, ceil(SIDE / max(pictures.shape[1:3])))
    return enlarge(pictures, factor), max(1, round(GAP * factor * pictures.shape[2]))

"""Sprite sheets: many small images in one WebP image."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from autoencode.explorer.container import Container
from autoencode.report.images import Tiles

# Larger images are scaled down to this side.
MAX_SPRITE_PIXELS = 64
# A lossless sheet larger than this is replaced by a lossy one.
MAX_LOSSLESS_BYTES = 2**20
LOSSY_QUALITY = 85
# A limit of the WebP format.
MAX_SHEET_PIXELS = 16_383


def add_sprite_sheet(
    images: Tiles, container: Container, columns: int | None = None, lossless: bool = True
) -> dict[str, Any]:
    """Add images [N, H, W, 3] to the container as one sheet, row by row; return its header entry.

    lossless: keep every pixel, unless images exceed 64 pixels a side or the sheet a megabyte.
    """
    small = _shrunk(images)
    n, height, width = small.shape[:3]
    across = columns or max(1, round((n * height / width) ** 0.5))
    down = -(-n // across)
    if max(across * width, down * height) > MAX_SHEET_PIXELS:
        raise ValueError(f"{n} images of {width} × {height} pixels do not fit on one sheet")
    cells = np.zeros((down * across, height, width, 3), np.uint8)
    cells[:n] = small
    cells = cells.reshape(down, across, height, width, 3).swapaxes(1, 2)
    sheet = Image.fromarray(cells.reshape(down * height, across * width, 3))
    packed = _packed(sheet, lossless=True, quality=60) if lossless else b""
    if not lossless or len(packed) > MAX_LOSSLESS_BYTES:
        packed, lossless = _packed(sheet, quality=LOSSY_QUALITY), False
    return {
        "sprite_sheet": container.add(np.frombuffer(packed, np.uint8)),
        "columns": across,
        "cell": [height, width],
        "exact": lossless and small is images,
    }


def _packed(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()


def _shrunk(images: Tiles) -> Tiles:
    height, width = images.shape[1:3]
    scale = MAX_SPRITE_PIXELS / max(height, width)
    if scale >= 1:
        return images
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack(
        [np.asarray(Image.fromarray(i).resize(size, Image.Resampling.BOX)) for i in images]
    )

"""Many small pictures in one, as a page carries them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from autoencode.explorer.container import Container
from autoencode.report.images import Tiles

# Pixels of a side; larger pictures are shown smaller.
MOST_SIDE = 64
# Bytes that a sheet without loss may take; a larger one is packed with a little.
MOST_EXACT = 2**20
QUALITY = 85
# A limit of the format, in pixels.
MOST_WIDE = 16_383


def sheet(
    pictures: Tiles, container: Container, columns: int | None = None, exactly: bool = True
) -> dict[str, Any]:
    """Puts pictures [N, H, W, 3] in, row by row on one sheet; what the header says of it.

    Pictures of more than 64 pixels a side are made smaller.
    exactly: keeps each pixel, where that takes no more than a megabyte.
    """
    small = _shrunk(pictures)
    n, height, width = small.shape[:3]
    across = columns or max(1, round((n * height / width) ** 0.5))
    down = -(-n // across)
    if max(across * width, down * height) > MOST_WIDE:
        raise ValueError(f"{n} pictures of {width} × {height} do not fit on one sheet")
    whole = np.zeros((down * across, height, width, 3), np.uint8)
    whole[:n] = small
    whole = whole.reshape(down, across, height, width, 3).swapaxes(1, 2)
    image = Image.fromarray(whole.reshape(down * height, across * width, 3))
    packed = _packed(image, lossless=True, quality=60) if exactly else b""
    lossy = not exactly or len(packed) > MOST_EXACT
    if lossy:
        packed = _packed(image, quality=QUALITY)
    return {
        "sheet": container.add_bytes(packed),
        "columns": across,
        "cell": [height, width],
        "exact": not lossy and small is pictures,
    }


def _packed(image: Image.Image, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", method=4, **options)
    return buffer.getvalue()


def _shrunk(pictures: Tiles) -> Tiles:
    height, width = pictures.shape[1:3]
    scale = MOST_SIDE / max(height, width)
    if scale >= 1:
        return pictures
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack(
        [np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BOX)) for p in pictures]
    )

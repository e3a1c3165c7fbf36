"""Resizing images."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def resized(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images [..., H, W] in a new height and width, of the same type.

    Scaled to cover the new size with the same aspect ratio, then cropped about the centre; bicubic,
    with antialiasing. All values stay in the range of the original values.
    """
    if x.shape[-2:] == size:
        return x
    planes = x.reshape(-1, *x.shape[-2:])
    out = np.empty((len(planes), *size), x.dtype)
    for old, new in zip(planes, out, strict=True):
        plane = Image.fromarray(old if x.dtype == np.uint8 else old.astype(np.float32))
        fitted = ImageOps.fit(plane, (size[1], size[0]), Image.Resampling.BICUBIC)
        # Round integers, and clip the overshoot at edges.
        values = np.asarray(fitted)
        values = values if x.dtype.kind == "f" else np.rint(values)
        new[...] = values.clip(old.min(), old.max())
    return out.reshape(*x.shape[:-2], *size)

"""One way to bring images to one size."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageOps


def resized(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One image [H, W] or [C, H, W] in the new height and width, its type kept.

    Scaled until it covers the new size, proportions kept, and cropped about the centre: bicubic,
    averaged over when made smaller. No value lies beyond those that the image had.
    """
    if x.shape[-2:] == size:
        return x
    planes = x.reshape(-1, *x.shape[-2:])
    out = np.empty((len(planes), *size), x.dtype)
    for old, new in zip(planes, out, strict=True):
        plane = Image.fromarray(old if x.dtype == np.uint8 else old.astype(np.float32))
        fitted = ImageOps.fit(plane, (size[1], size[0]), Image.Resampling.BICUBIC)
        # Rounds what will be whole numbers again, and takes away the overshoot at edges.
        values = np.asarray(fitted)
        values = values if x.dtype.kind == "f" else np.rint(values)
        new[...] = values.clip(old.min(), old.max())
    return out.reshape(*x.shape[:-2], *size)


def all_resized(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """All images [N, ...] of an array in the new size, as `resized`."""
    out = np.empty((*x.shape[:-2], *size), x.dtype)
    for old, new in zip(x, out, strict=True):
        new[...] = resized(old, size)
    return out

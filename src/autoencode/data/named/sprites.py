"""Sprites: images of one coloured shape, generated from known factors."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from autoencode.data.named.catalogue import Source
from autoencode.data.raw import RawData

Array = np.ndarray[Any, Any]

# Each factor with its number of values: 5,898,240 different images in total.
FACTORS = {"shape": 3, "scale": 6, "rotation": 40, "x": 32, "y": 32, "colour": 8}
# Categorical factors: their values have no order.
UNORDERED = ("shape", "colour")
# The side of the largest square in pixels; the smallest square has half of it.
SIDE = 18.5
# A sprite is drawn in a patch, centred on its middle pixel, and moved by integer pixels.
PATCH = 33
# The brightness of a pixel is the fraction of its FINE × FINE points inside the shape.
FINE = 8


def read_sprites(source: Source) -> RawData:
    """The sprites, uint8 [N, 3, 64, 64] on black, with the same bytes on every machine.

    shape: square, ellipse (2 : 1) or heart, of equal area at equal scale; the label.
    scale: 6 lengths from 0.5 to 1 in equal steps.
    rotation: 40 anticlockwise angles about the centroid. They divide the period of the shape:
              90° for the square, 180° for the ellipse, 360° for the heart.
    x, y: 32 integer positions, rightwards and downwards; a sprite is completely inside its image.
    colour: 8 hues around the circle.

    Combinations are drawn uniformly without replacement, so the factors are independent.
    After [matthey2017].
    """
    factors = dict(zip(FACTORS, _draw_factors(source.images), strict=True))
    shape, scale, rotation, x, y, colour = factors.values()
    shades = _shades()[colour[:, None], :, _patches()[shape, scale, rotation].reshape(len(x), -1)]
    sprites = shades.transpose(0, 2, 1).reshape(-1, 3, PATCH, PATCH)
    images = np.zeros((source.images, *source.shape), np.uint8)
    places = np.lib.stride_tricks.sliding_window_view(
        images, (PATCH, PATCH), axis=(2, 3), writeable=True
    )
    places[np.arange(len(images)), :, y, x] = sprites
    return RawData(
        {"all": (images, shape)},
        source.classes,
        factors=factors,
        unordered=UNORDERED,
        image_files=True,
    )


def _draw_factors(n: int) -> tuple[Array, ...]:
    """N different combinations of the factors, int64 [N] each."""
    sizes = tuple(FACTORS.values())
    # Methods of a generator may change with numpy's version; the bits of a bit generator do not.
    cells = np.random.PCG64(0).random_raw(2 * n) % np.prod(sizes, dtype=np.uint64)
    _, first = np.unique(cells, return_index=True)
    chosen = cells[np.sort(first)[:n]].astype(np.int64)
    return tuple(part.astype(np.int64) for part in np.unravel_index(chosen, sizes))


@lru_cache(maxsize=1)
def _patches() -> Array:
    """The number of points of each pixel, 0 to 64, inside each shape, uint8 [3, 6, 40, 33, 33].

    No point is so near to an outline that rounding decides, so all machines count equally. The
    axes are shape, scale, rotation, row and column.
    """
    shapes: list[tuple[Callable[[Array, Array], Array], float]] = [
        (_square, 0.25),
        (_ellipse, 0.5),
        (_heart, 1.0),
    ]
    found = np.empty((*list(FACTORS.values())[:3], PATCH, PATCH), np.uint8)
    steps = ((np.arange(PATCH * FINE) + 0.5) / FINE - PATCH / 2) / SIDE
    right, up = steps[None, :], -steps[:, None]
    for i, (inside, turn) in enumerate(shapes):
        for k in range(FACTORS["rotation"]):
            angle = 2 * np.pi * turn * k / FACTORS["rotation"]
            u = right * np.cos(angle) + up * np.sin(angle)
            v = up * np.cos(angle) - right * np.sin(angle)
            for j, scale in enumerate(np.linspace(0.5, 1, FACTORS["scale"])):
                points = inside(u / scale, v / scale).reshape(PATCH, FINE, PATCH, FINE)
                found[i, j, k] = points.sum((1, 3))
    return found


def _shades() -> Array:
    """Each colour of a pixel with 0 to 64 points inside the shape, uint8 [8, 3, 65]."""
    hues = [colorsys.hsv_to_rgb(k / FACTORS["colour"], 0.75, 1) for k in range(FACTORS["colour"])]
    points = FINE * FINE
    full = np.rint(255 * np.array(hues)).astype(np.int64)[..., None]
    shades = (full * np.arange(points + 1) + points // 2) // points
    return np.asarray(shades, np.uint8)


# Shapes of area 1 around their centroid: which points [H, W] are inside.


def _square(u: Array, v: Array) -> Array:
    return np.asarray(np.maximum(np.abs(u), np.abs(v)) < 0.5)


def _ellipse(u: Array, v: Array) -> Array:
    return np.asarray(u * u + 4 * v * v < 2 / np.pi)


def _heart(u: Array, v: Array) -> Array:
    """(x² + y² − 1)³ < x² y³, of area 3.66198 and centroid (0, 0.29348)."""
    x2 = 3.66198 * u * u
    y = 3.66198**0.5 * v + 0.29348
    y2 = y * y
    out = x2 + y2 - 1
    return np.asarray(out * out * out < x2 * y2 * y)

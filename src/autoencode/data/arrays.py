"""Arrays, tensors and lists as examples with channels first, or an error that says why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.errors import DataError

CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
BLOCK = 2**20  # values processed at a time, so that no copy of a complete array is made

Arrays = Mapping[str, np.ndarray]


def as_array(x: Any, what: str) -> np.ndarray:
    """A numpy array of an array, a tensor, nested lists, or a list of arrays of one shape.

    Raises:
        DataError: it is no array, is masked or sparse, or its items differ in shape or type.
    """
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise DataError(
                f"{what} is a masked array with masked values, which have no meaning",
                "Fill them, x.filled(0); or, for missing values in vectors, x.filled(np.nan) with "
                "--scale standard (scale='standard').",
            )
        return x.data
    if isinstance(x, Tensor):
        return _of_tensor(x, what)
    if type(x).__module__.startswith("scipy.sparse"):
        raise DataError(f"{what} is a sparse matrix", "Give a dense array: x.toarray().")
    if isinstance(x, list | tuple) and x and isinstance(x[0], Tensor | np.ndarray):
        return _stacked(x, what)
    try:
        found = np.asarray(x)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{what} is no array: {error}", "Give examples of one shape, as numbers."
        ) from error
    of_arrays = found.dtype == object and found.ndim == 1 and len(found) > 0
    if of_arrays and isinstance(found[0], Tensor | np.ndarray):
        return _stacked([*found], what)
    return found


def _of_tensor(x: Tensor, what: str) -> np.ndarray:
    if x.layout != torch.strided or x.is_nested:
        raise DataError(
            f"{what} is a {'nested' if x.is_nested else 'sparse'} tensor",
            "Give a padded one: torch.nested.to_padded_tensor(x, 0)."
            if x.is_nested
            else "Give a dense one: x.to_dense().",
        )
    # numpy lacks the floats of 8 bits and bfloat16.
    lacks = x.is_floating_point() and x.dtype not in (torch.float16, torch.float32, torch.float64)
    try:
        x = x.detach().cpu().resolve_conj().resolve_neg()
        return np.asarray(x.float() if lacks else x)
    except (TypeError, RuntimeError) as error:  # without values, or quantized
        raise DataError(
            f"{what} is a tensor that is no array: {error}", "Give a dense tensor of numbers."
        ) from error


def _stacked(items: Sequence[Any], what: str) -> np.ndarray:
    """Arrays of one shape and type as one array."""
    arrays = [as_array(item, f"{what}, example {i}") for i, item in enumerate(items)]
    first = arrays[0]
    for i, array in enumerate(arrays):
        if array.shape != first.shape:
            raise DataError(
                f"{what} has examples of different shapes: example 0 has {first.shape}, and "
                f"example {i} has {array.shape}",
                "Crop or resize them to one shape; images in a folder are resized with --size "
                "HEIGHT WIDTH (size=(HEIGHT, WIDTH)).",
            )
        if array.dtype != first.dtype:
            raise DataError(
                f"{what} has examples of different types: example 0 is {first.dtype}, and example "
                f"{i} is {array.dtype}",
                "Convert all to one type and one range: [np.asarray(each, np.float32) for each in "
                "x].",
            )
    return np.stack(arrays)


def examples(
    x: np.ndarray, what: str, channels_last: bool | None = None
) -> tuple[np.ndarray, bool, list[str]]:
    """Check type and shape of examples: [N, D], [N, H, W] or [N, C, H, W]; channels come first.

    Returns the examples, whether their channels were last, and notices of how axes were read.

    channels_last: where the channels of [N, ., ., .] are; None decides by the numbers.

    Raises:
        DataError: no numbers, no examples, or a shape that is none of these.
    """
    if x.dtype.kind not in "buif":
        raise DataError(
            f"{what} has values of type {x.dtype}, which are not real numbers", _numbers_fix(x)
        )
    if not 2 <= x.ndim <= 4:
        raise DataError(f"{what} has the shape {x.shape}", _shape_fix(x.ndim))
    if not x.size:
        raise DataError(
            f"{what} is empty: its shape is {x.shape}", "Give at least one example with values."
        )
    if x.ndim < 4:
        if channels_last is not None:
            raise DataError(
                f"channels_last is given, but {what[0].lower()}{what[1:]} of shape {x.shape} has "
                "no channels",
                "Leave out --channels-last or --channels-first (channels_last).",
            )
        return x, False, _series_notice(x.shape[1:])
    moved = _channels_are_last(x.shape) if channels_last is None else channels_last
    a, b, c = x.shape[1:]
    notice = (
        f"Examples of shape {x.shape[1:]} are read as {_reading(a, b, c, moved)} "
        f"(channels {'last' if moved else 'first'})"
    )
    if channels_last is None:
        flag = "--channels-first" if moved else "--channels-last"
        notice += f". Give {flag} (channels_last={not moved}) for {_reading(a, b, c, not moved)}"
    return np.moveaxis(x, -1, 1) if moved else x, moved, [f"{notice}."]


def _channels_are_last(shape: tuple[int, ...]) -> bool:
    """Whether [N, a, b, c] are images with c channels rather than a channels."""
    _, a, b, c = shape
    if a in CHANNELS and c in CHANNELS:
        return a == b != c  # square images are more common than narrow ones
    return c in CHANNELS


def _reading(a: int, b: int, c: int, last: bool) -> str:
    """Examples of shape (a, b, c) in words.

    >>> _reading(28, 28, 2, last=True)
    '2 channels of 28×28'
    """
    channels, height, width = (c, a, b) if last else (a, b, c)
    return f"{channels} channel{'' if channels == 1 else 's'} of {height}×{width}"


def _numbers_fix(x: np.ndarray) -> str:
    if x.dtype.kind == "c":
        return (
            "Give np.abs(x), or real and imaginary part as channels: np.stack([x.real, x.imag], 1)."
        )
    if x.dtype.kind in "mM":
        return (
            "Give them as numbers, x.astype(float), with the range --range auto "
            "(value_range='auto')."
        )
    if x.dtype.names:
        return "Give a table: pandas.DataFrame(x)."
    return "Give numbers: x.astype(float)."


def _shape_fix(ndim: int) -> str:
    if ndim == 0:
        return "Give examples: vectors [N, D], or images [N, H, W] or [N, C, H, W]."
    if ndim == 1:
        return (
            "Give vectors [N, D]: x[:, None] for examples of one number each, or x[None] for one "
            "vector."
        )
    return (
        "Give images with up to three axes: x.reshape(-1, *x.shape[-3:]) takes each frame as an "
        "example; vectors: x.reshape(len(x), -1)."
    )


def _series_notice(shape: tuple[int, ...]) -> list[str]:
    """A notice for examples [H, W] that may be a few series, or the rows of one image."""
    if len(shape) == 2 and min(shape) <= max(CHANNELS) < max(shape):
        h, w = shape
        return [
            f"Examples of shape {shape} are read as grey images, {h} high and {w} wide. For "
            f"{min(shape)} channels of a series give vectors of {h * w} values, "
            "x.reshape(len(x), -1); if the array is one image, give x[None]."
        ]
    return []


def blocks(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """An array in blocks of examples, each with the position of its first example."""
    step = max(1, BLOCK // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), step):
        yield start, x[start : start + step]


def not_finite(x: np.ndarray) -> np.ndarray:
    """Positions of the examples that contain NaN or infinity."""
    if x.dtype.kind != "f":
        return np.zeros(0, np.int64)
    found = [
        start + np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(1))
        for start, block in blocks(x)
    ]
    return np.concatenate(found)

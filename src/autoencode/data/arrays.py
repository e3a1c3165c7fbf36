"""Arrays of any type to values in [0, 1] or 0..255, or an error that says why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor, bfloat16

from autoencode.errors import DataError

TOLERANCE = 1e-5  # float arithmetic can slightly exceed 1
# 8-bit images without any value as high as this are probably in another range than 0..255.
MIN_BRIGHT = 64
CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
PERCENTILES = (0.1, 99.9)  # of the range "auto"
MAX_SAMPLED = 2**24  # values of which percentiles are taken
BLOCK = 2**20  # values processed at a time, so that no copy of a complete array is made

Arrays = Mapping[str, np.ndarray]


def as_array(x: Any, what: str) -> np.ndarray:
    """A numpy array of an array, a tensor or nested lists.

    Raises:
        DataError: its rows differ in length, or it is no array.
    """
    if isinstance(x, Tensor):
        x = x.detach().cpu()
        return np.asarray(x.float() if x.dtype == bfloat16 else x)
    try:
        return np.asarray(x)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} is no array: {error}", "Give examples of one shape.") from error


def examples(
    x: np.ndarray, what: str, channels_last: bool | None = None
) -> tuple[np.ndarray, bool, list[str]]:
    """Check type and shape of examples: [N, D], [N, H, W] or [N, C, H, W]; channels come first.

    Returns the examples, whether their channels were last, and notices of how axes were read.

    channels_last: where the channels of [N, ., ., .] are; None decides by the numbers.

    Raises:
        DataError: no numbers, no examples, or a shape that is none of these.
    """
    if isinstance(x, np.ma.MaskedArray):
        raise DataError(
            f"{what} is a masked array, whose masked values have no meaning",
            "Fill them, x.filled(value), or give a table with missing values.",
        )
    if x.dtype.kind not in "buif":
        raise DataError(
            f"{what} has values of type {x.dtype}, which are not real numbers",
            "Give integers 0..255 as uint8, or floats in [0, 1].",
        )
    if not 2 <= x.ndim <= 4:
        raise DataError(
            f"{what} has the shape {x.shape}",
            "Give vectors [N, D], grey images [N, H, W] or colour images [N, C, H, W].",
        )
    if not x.size:
        raise DataError(f"{what} is empty: its shape is {x.shape}", "Give some examples.")
    if x.ndim < 4:
        if channels_last is not None:
            raise DataError(
                f"channels_last is given, but {what[0].lower()}{what[1:]} of shape {x.shape} has "
                "no channels",
                "Leave it out.",
            )
        return x, False, _series_notice(x.shape[1:])
    first, last = x.shape[1], x.shape[-1]
    moved = channels_last
    if moved is None:
        moved = last in CHANNELS and first not in CHANNELS
    x = np.moveaxis(x, -1, 1) if moved else x
    channels, height, width = x.shape[1:]
    notice = (
        f"Examples of shape {x.shape[1:] if not moved else (height, width, channels)} are read as "
        f"{channels} channel{'' if channels == 1 else 's'} of {height}×{width} "
        f"(channels {'last' if moved else 'first'})"
    )
    if channels_last is None:
        # The other way to read the same three numbers.
        c, h, w = (height, width, channels) if moved else (width, channels, height)
        flag = "--channels-first" if moved else "--channels-last"
        value = "False" if moved else "True"
        notice += (
            f". Give {flag} (channels_last={value}) for {c} channel{'' if c == 1 else 's'} of "
            f"{h}×{w}"
        )
    return x, moved, [f"{notice}."]


def _series_notice(shape: tuple[int, ...]) -> list[str]:
    """A notice for examples [H, W] that may be a few series instead of an image."""
    if len(shape) == 2 and min(shape) <= max(CHANNELS) < max(shape):
        h, w = shape
        return [
            f"Examples of shape {shape} are read as grey images, {h} high and {w} wide. For "
            f"{min(shape)} channels of a series give vectors of {h * w} values, "
            "x.reshape(len(x), -1)."
        ]
    return []


@dataclass(frozen=True)
class ValueRange:
    """The raw values that become 0 and 1, and the type in which the result is stored.

    source: see `Preprocessing.range_source`.
    """

    stored: Literal["uint8", "float32"]
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    source: Literal["type", "given", "percentiles"] = "type"


def range_for(
    parts: Arrays,
    value_range: Sequence[float] | None,
    names: Mapping[str, Sequence[str]] | None = None,
    *,
    by_type: bool = False,
) -> tuple[ValueRange, list[str]]:
    """The range of all parts, whose values become uint8 (0..255) or float32 in [0, 1], and notices.

    uint8 stays uint8. A given range is scaled to [0, 1]; integers in the range 0..255 become
    uint8. Without a range, values outside [0, 1] are refused, because a model with a sigmoid would
    train on them without an error.

    names: the files of the examples of each part, for messages.
    by_type: the given range is the full range of the type of the values.

    Raises:
        DataError: NaN, infinity, or values outside of the range.
    """
    bounds = [_bounds(x, part, (names or {}).get(part, ())) for part, x in parts.items()]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    all_uint8 = all(x.dtype == np.uint8 for x in parts.values())
    as_bytes = ValueRange("uint8", 0.0, 255.0)
    if value_range is not None:
        bottom, top = map(float, value_range)
        if low < bottom or high > top:
            raise DataError(
                f"The values are from {_number(low)} to {_number(high)}, outside the given range, "
                f"{_number(bottom)} to {_number(top)}",
                f"Give the full range: {_fix(min(low, bottom), max(high, top))}.",
            )
        if (bottom, top) == (0, 255) and (all_uint8 or all(map(_is_integral, parts.values()))):
            return as_bytes, []
        return ValueRange("float32", bottom, top, "type" if by_type else "given"), []
    if all_uint8:
        return as_bytes, _uint8_notices(high)
    if len({x.dtype.kind in "bui" for x in parts.values()}) > 1:
        listed = ", ".join(f"{part} {x.dtype}" for part, x in parts.items())
        raise DataError(f"The parts have different types: {listed}", "Give all in one type.")
    _check_unit_range(low, high, all(x.dtype.kind in "bui" for x in parts.values()))
    notices = []
    if 0 < high <= 1 / 255 + TOLERANCE:
        notices.append(
            f"No value is above {_number(high)}. If the values were divided by 255 twice, "
            f"give {_fix(0, 1 / 255)}."
        )
    return ValueRange("float32", 0.0, 1.0), notices


def percentile_range(
    x: np.ndarray, rows: np.ndarray | None, per_channel: bool
) -> tuple[ValueRange, list[str]]:
    """The range from low to high percentiles of the training part, and a notice that states it.

    x: [N, ...], of which the training part is at `rows`, all without.

    Raises:
        DataError: the values have no spread, or there are no channels.
    """
    if per_channel and x.ndim != 4:
        raise DataError("per_channel is set, but the data have no channels", "Leave it out.")
    rows = np.arange(len(x)) if rows is None else rows
    each = math.prod(x.shape[1:])
    chosen = rows[:: max(1, -(-len(rows) * each // MAX_SAMPLED))]
    sample = x[chosen].astype(np.float64)
    values = np.moveaxis(sample, 1, 0).reshape(x.shape[1], -1) if per_channel else sample.ravel()
    if not np.isfinite(values).all():
        raise DataError("The data contain NaN or infinity", "Remove or replace these values.")
    low, high = np.percentile(values, PERCENTILES, axis=-1)
    if np.any(low >= high):
        raise DataError(
            f"The percentiles {PERCENTILES[0]} and {PERCENTILES[1]} of the training part are equal",
            "Give the range as numbers: --range LOW HIGH (value_range=(LOW, HIGH)).",
        )
    bounds = [tuple(v.tolist()) if per_channel else float(v) for v in (low, high)]
    pairs = np.atleast_1d(low), np.atleast_1d(high)
    spans = "; ".join(f"{_number(a)} to {_number(b)}" for a, b in zip(*pairs, strict=True))
    outside = float(((low > values.T) | (high < values.T)).mean())
    notice = (
        f"The range is that of the percentiles {PERCENTILES[0]} and {PERCENTILES[1]} of the "
        f"training part{' of each channel' if per_channel else ''}: {spans}; {outside:.2%} of the "
        "values are beyond and are clipped."
    )
    return ValueRange("float32", bounds[0], bounds[1], "percentiles"), [notice]


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


def _bounds(x: np.ndarray, part: str, names: Sequence[str]) -> tuple[float, float]:
    """The lowest and the highest value; values that are not finite are refused."""
    bounds = [(block.min().item(), block.max().item()) for _, block in blocks(x)]
    if not all(math.isfinite(low) and math.isfinite(high) for low, high in bounds):
        bad = not_finite(x)
        first = f"Example {bad[0]}" + ("" if part == "all" else f" of the {part} part")
        if names:
            first += f" ({names[bad[0]]})"
        raise DataError(
            f"{first} contains NaN or infinity ({len(bad):,} of {len(x):,} examples do)",
            "Remove these examples or replace the values.",
        )
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _uint8_notices(high: float) -> list[str]:
    """uint8 means 0..255; values that are all near 0 probably mean something else."""
    if high == 1:
        raise DataError(
            "The values are uint8 and only 0 and 1, which in the range 0..255 is black",
            f"For masks or black-and-white images give {_fix(0, 1)}; "
            f"if the images are really that dark, give {_fix(0, 255)}.",
        )
    if 1 < high < MIN_BRIGHT:
        return [
            f"The images are dark: no value is above {high:.0f} of 255. If {high:.0f} means "
            f"white, give {_fix(0, high)}."
        ]
    return []


def _check_unit_range(low: float, high: float, integers: bool) -> None:
    if low >= -TOLERANCE and high <= 1 + TOLERANCE:
        return
    likely, guess = (low, high), ""
    for bottom, top in ((-1, 1), (0, 255), (0, 65535)):
        inside = bottom - TOLERANCE <= low and high <= top + TOLERANCE
        if inside and (bottom < 0) == (low < -TOLERANCE):
            likely, guess = (bottom, top), f", probably in the range {bottom}..{top}"
            break
    kind = "integers" if integers else "floats"
    raise DataError(
        f"The values are {kind} from {_number(low)} to {_number(high)}{guess}, but must be in "
        "[0, 1] or uint8",
        f"Give their range: {_fix(*likely)}.",
    )


def _is_integral(x: np.ndarray) -> bool:
    return x.dtype.kind in "bui" or all((block == np.rint(block)).all() for _, block in blocks(x))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _fix(low: float, high: float) -> str:
    """The option that gives a range, on the command line and in Python."""
    return f"--range {_number(low)} {_number(high)} (value_range=({_number(low)}, {_number(high)}))"

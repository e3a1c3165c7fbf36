"""Arrays of any type to values in [0, 1] or 0..255, or an error that says why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, bfloat16

from autoencode.errors import DataError

TOLERANCE = 1e-5  # float arithmetic can slightly exceed 1
# 8-bit images without any value as high as this are probably in another range than 0..255.
MIN_BRIGHT = 64
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


def examples(x: np.ndarray, what: str) -> np.ndarray:
    """Check type and shape of examples: [N, D], [N, H, W] or [N, C, H, W]; channels come first.

    Raises:
        DataError: no numbers, no examples, or a shape that is none of these.
    """
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
    if x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = np.moveaxis(x, -1, 1)
    return x


@dataclass(frozen=True)
class ValueScaling:
    """How values are converted to uint8 (0..255) or float32 in [0, 1].

    low, high: the values that become 0 and 1, for float32; uint8 is not scaled.
    """

    dtype: np.dtype
    low: float = 0.0
    high: float = 1.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Convert some examples, in float64, which large ranges need."""
        if self.dtype == np.uint8:
            return x.astype(np.uint8, copy=False)
        scaled = x.astype(np.float64)
        scaled -= self.low
        scaled /= self.high - self.low
        return scaled.clip(0, 1, out=scaled).astype(np.float32)


def scaling_for(
    parts: Arrays, value_range: Sequence[float] | None, names: Sequence[str] = ()
) -> tuple[ValueScaling, list[str]]:
    """The scaling of all parts to uint8 (0..255) or float32 in [0, 1], and notices.

    uint8 stays uint8. A given range is scaled to [0, 1]; integers in the range 0..255 become
    uint8. Without a range, values outside [0, 1] are refused, because a model with a sigmoid would
    train on them without an error. `names` are the files of the examples, for messages.

    Raises:
        DataError: NaN, infinity, or values outside of the range.
    """
    bounds = [_bounds(x, part, names) for part, x in parts.items()]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    all_uint8 = all(x.dtype == np.uint8 for x in parts.values())
    as_bytes, as_floats = ValueScaling(np.dtype(np.uint8)), np.dtype(np.float32)
    if value_range is not None:
        bottom, top = value_range
        if low < bottom or high > top:
            raise DataError(
                f"The values are from {_number(low)} to {_number(high)}, outside the given range, "
                f"{_number(bottom)} to {_number(top)}",
                f"Give the full range: {_fix(min(low, bottom), max(high, top))}.",
            )
        if (bottom, top) == (0, 255) and (all_uint8 or all(map(_is_integral, parts.values()))):
            return as_bytes, []
        return ValueScaling(as_floats, bottom, top), []
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
    return ValueScaling(as_floats), notices


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

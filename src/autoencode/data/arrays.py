"""Arrays of any kind to values in [0, 1] or 0..255, or a sentence that says why not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, bfloat16

from autoencode.errors import DataError

# Float arithmetic that is meant to end at 1 may end a little beyond.
SLACK = 1e-5
# Eight-bit images that nowhere reach this are likely in another range than 0..255.
DARK = 64
BLOCK = 2**20  # numbers looked at in one go, so that no copy of a whole array is made

Arrays = Mapping[str, np.ndarray]


def as_array(x: Any, what: str) -> np.ndarray:
    """A numpy array of what a user gave: an array, a tensor, nested lists.

    Raises:
        DataError: its rows differ in length, or it is no array at all.
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
            f"{what} holds values of type {x.dtype}, which are no real numbers",
            "Give whole numbers 0..255 as uint8, or floats in [0, 1].",
        )
    if not 2 <= x.ndim <= 4:
        raise DataError(
            f"{what} has the shape {x.shape}",
            "Give vectors [N, D], grey images [N, H, W] or colour images [N, C, H, W].",
        )
    if not x.size:
        raise DataError(f"{what} holds nothing: its shape is {x.shape}", "Give some examples.")
    if x.ndim == 4 and x.shape[-1] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        x = np.moveaxis(x, -1, 1)
    return x


@dataclass(frozen=True)
class Change:
    """How values become uint8 (0..255) or float32 in [0, 1].

    bottom, top: what becomes 0 and 1, for float32; uint8 is taken as it is.
    """

    dtype: np.dtype
    bottom: float = 0.0
    top: float = 1.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Some examples, changed; reckoned in double, which large ranges need."""
        if self.dtype == np.uint8:
            return x.astype(np.uint8, copy=False)
        moved = x.astype(np.float64)
        moved -= self.bottom
        moved /= self.top - self.bottom
        return moved.clip(0, 1, out=moved).astype(np.float32)


def change_for(
    parts: Arrays, value_range: Sequence[float] | None, names: Sequence[str] = ()
) -> tuple[Change, list[str]]:
    """What brings all parts of a set to uint8 (0..255) or float32 in [0, 1], with notices.

    uint8 stays uint8. With a range, values are moved from it to [0, 1]; whole numbers in the range
    0..255 become uint8. Without one, values beyond [0, 1] are refused: a sigmoid would train on
    them in silence. `names` are the files behind the examples, for the sentences.

    Raises:
        DataError: NaN, infinity, or values outside of the range.
    """
    bounds = [_bounds(x, part, names) for part, x in parts.items()]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    eight = all(x.dtype == np.uint8 for x in parts.values())
    as_bytes, as_floats = Change(np.dtype(np.uint8)), np.dtype(np.float32)
    if value_range is not None:
        bottom, top = value_range
        if low < bottom or high > top:
            raise DataError(
                f"The values reach from {_say(low)} to {_say(high)}, beyond the range given, "
                f"{_say(bottom)} to {_say(top)}",
                f"Give the whole range: {_fix(min(low, bottom), max(high, top))}.",
            )
        if (bottom, top) == (0, 255) and (eight or all(map(_whole, parts.values()))):
            return as_bytes, []
        return Change(as_floats, bottom, top), []
    if eight:
        return as_bytes, _eight_bit(high)
    if len({x.dtype.kind in "bui" for x in parts.values()}) > 1:
        told = ", ".join(f"{part} {x.dtype}" for part, x in parts.items())
        raise DataError(f"The parts are of different types: {told}", "Give all in one type.")
    _within(low, high, all(x.dtype.kind in "bui" for x in parts.values()))
    notices = []
    if 0 < high <= 1 / 255 + SLACK:
        notices.append(
            f"No value is above {_say(high)}: if these were divided by 255 twice, "
            f"give {_fix(0, 1 / 255)}."
        )
    return Change(as_floats), notices


def blocks(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Some examples at a time, with the position of the first."""
    step = max(1, BLOCK // max(1, math.prod(x.shape[1:])))
    for start in range(0, len(x), step):
        yield start, x[start : start + step]


def not_finite(x: np.ndarray) -> np.ndarray:
    """Positions of the examples that hold NaN or infinity."""
    if x.dtype.kind != "f":
        return np.zeros(0, np.int64)
    found = [
        start + np.flatnonzero(~np.isfinite(block).reshape(len(block), -1).all(1))
        for start, block in blocks(x)
    ]
    return np.concatenate(found)


def _bounds(x: np.ndarray, part: str, names: Sequence[str]) -> tuple[float, float]:
    """The lowest and the highest value, all of which are finite."""
    bounds = [(block.min().item(), block.max().item()) for _, block in blocks(x)]
    if not all(math.isfinite(low) and math.isfinite(high) for low, high in bounds):
        bad = not_finite(x)
        first = f"Example {bad[0]}" + ("" if part == "all" else f" of the {part} part")
        if names:
            first += f" ({names[bad[0]]})"
        raise DataError(
            f"{first} holds NaN or infinity ({len(bad):,} of {len(x):,} examples do)",
            "Remove these examples or fill in the values.",
        )
    return min(low for low, _ in bounds), max(high for _, high in bounds)


def _eight_bit(high: float) -> list[str]:
    """uint8 is 0..255; what stays near 0 was likely meant otherwise."""
    if high == 1:
        raise DataError(
            "The values are uint8 and only 0 and 1, which as 0..255 is black",
            f"For a mask or black-and-white images give {_fix(0, 1)}; "
            f"if they are that dark, give {_fix(0, 255)}.",
        )
    if 1 < high < DARK:
        return [
            f"The images are dark: no value is above {high:.0f} of 255. If {high:.0f} means "
            f"white, give {_fix(0, high)}."
        ]
    return []


def _within(low: float, high: float, whole: bool) -> None:
    if low >= -SLACK and high <= 1 + SLACK:
        return
    likely, looks = (low, high), ""
    for bottom, top in ((-1, 1), (0, 255), (0, 65535)):
        if bottom - SLACK <= low and high <= top + SLACK and (bottom < 0) == (low < -SLACK):
            likely, looks = (bottom, top), f", which looks like {bottom}..{top}"
            break
    kind = "whole numbers" if whole else "floats"
    raise DataError(
        f"The values are {kind} from {_say(low)} to {_say(high)}{looks}, and should lie in [0, 1] "
        "or be uint8",
        f"Say what the range is: {_fix(*likely)}.",
    )


def _whole(x: np.ndarray) -> bool:
    return x.dtype.kind in "bui" or all((block == np.rint(block)).all() for _, block in blocks(x))


def _say(value: float) -> str:
    return f"{value:.6g}"


def _fix(low: float, high: float) -> str:
    """How to state a range, on the command line and in Python."""
    return f"--range {_say(low)} {_say(high)} (value_range=({_say(low)}, {_say(high)}))"

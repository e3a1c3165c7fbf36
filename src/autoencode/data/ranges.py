"""The range of the raw values: given, by the type of the values, or from percentiles."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from autoencode.data.arrays import Arrays, blocks, not_finite
from autoencode.errors import DataError

TOLERANCE = 1e-5  # of a range: float arithmetic can slightly exceed it
# Values that span less than this share of their range are stated.
NARROW = 0.25
# A usual range is advised instead of the measured one if the values reach so far into it.
FILLED = 0.75
USUAL_FLOATS = ((0, 1), (-1, 1), (0, 255), (0, 65535))
USUAL_INTEGERS = (
    *((0, 1), (-1, 1), (0, 255), (-128, 127), (0, 1023), (0, 4095), (0, 16383), (0, 65535)),
    (-32768, 32767),
)
PERCENTILES = (0.1, 99.9)  # of the range "auto"
MAX_SAMPLED = 2**24  # values of which percentiles are taken
MAX_EXACT = 2**53  # integers beyond are rounded in float64


@dataclass(frozen=True)
class ValueRange:
    """The raw values that become 0 and 1, and the type in which the result is stored.

    source: see `Preprocessing.range_source`.
    """

    stored: Literal["uint8", "float32"]
    low: float | tuple[float, ...]
    high: float | tuple[float, ...]
    source: Literal["type", "given", "percentiles"] = "type"


# How notices about the values of all examples begin.
OF_ALL_VALUES = ("The values are from ", "All values are ")


def notices_of_chunks(chunks: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The notices of chunks of one data set: of those that differ in numbers only, the first.

    What all values have in common is said where it is true of each chunk: a chunk can be a class.
    """
    said: dict[str, str] = {}
    found = [list(notices) for notices in chunks]
    kinds = [{_kind(text) for text in notices} for notices in found]
    for text in (text for notices in found for text in notices):
        kind = _kind(text)
        if not text.startswith(OF_ALL_VALUES) or all(kind in each for each in kinds):
            said.setdefault(kind, text)
    return tuple(said.values())


def _kind(notice: str) -> str:
    """A notice without its numbers and examples."""
    return re.sub(r"[\d.,]+|such as .*", "", notice)


@dataclass(frozen=True)
class Measured:
    """The lowest and the highest value of all parts, and what is unusual.

    constant: the number of images in which all values are equal; `first_constant` names the first.
    integers: whether the type of the values is one of integers.
    """

    low: float
    high: float
    integers: bool
    examples: int
    constant: int
    first_constant: str

    def notices(self, bottom: float, top: float, what: str = "the range") -> list[str]:
        """Notices about values that use little of a range, and about constant images."""
        found = []
        low, high = self.low, self.high
        if low == high:
            found.append(
                f"All values are {number(low)}, so a model has nothing to learn from them."
            )
        elif high - low < NARROW * (top - bottom):
            # Dark images stay relative to black.
            base = bottom if low - bottom <= NARROW * (high - bottom) else low
            found.append(
                f"The values are from {number(low)} to {number(high)}, a small part of {what}, "
                f"{number(bottom)} to {number(top)}. If that is not the range they can have, give "
                f"theirs: {range_option(*likely(base, high, self.integers))}."
            )
        if self.constant and low != high:
            found.append(
                f"{self.constant:,} of {self.examples:,} images are constant: all of their values "
                f"are equal. The first is {self.first_constant}."
            )
        if self.integers and max(-low, high) > MAX_EXACT:
            lost = 2 ** (math.frexp(max(-low, high))[1] - 53)
            found.append(
                f"The values are integers up to {number(max(-low, high))}. float64 holds them only "
                f"to multiples of {lost:,}, so smaller differences are lost."
            )
        return found


def measured(parts: Arrays, names: Mapping[str, Sequence[str]] | None = None) -> Measured:
    """The lowest and the highest value of all parts, in one pass.

    Raises:
        DataError: NaN or infinity.
    """
    low, high, constant, first = math.inf, -math.inf, 0, ""
    for part, x in parts.items():
        own = (names or {}).get(part, ())
        images = x.ndim > 2 and math.prod(x.shape[1:]) > 1
        axes = tuple(range(1, x.ndim)) if images else None
        for start, block in blocks(x):
            lows, highs = block.min(axes), block.max(axes)
            low, high = min(low, float(lows.min())), max(high, float(highs.max()))
            same = np.flatnonzero(lows == highs) if images else np.zeros(0, np.int64)
            if len(same) and not constant:
                first = _example(start + int(same[0]), part, own)
            constant += len(same)
            if not (math.isfinite(float(lows.min())) and math.isfinite(float(highs.max()))):
                raise _infinite(x, part, own)
    integers = all(x.dtype.kind in "bui" for x in parts.values())
    return Measured(low, high, integers, sum(map(len, parts.values())), constant, first)


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
    found = measured(parts, names)
    if value_range is not None:
        bottom, top = map(float, value_range)
        _check_inside(found, bottom, top, f"the {'' if by_type else 'given '}range")
        what = "the range of their type" if by_type else "the given range"
        notices = found.notices(bottom, top, what)
        if (bottom, top) == (0, 255) and all(map(is_integral, parts.values())):
            return ValueRange("uint8", 0.0, 255.0), notices
        return ValueRange("float32", bottom, top, "type" if by_type else "given"), notices
    if all(x.dtype == np.uint8 for x in parts.values()):
        if found.high == 1:
            raise DataError(
                "The values are uint8 and only 0 and 1, which in the range 0..255 is black",
                f"For masks or black-and-white images give {range_option(0, 1)}; "
                f"if the images are really that dark, give {range_option(0, 255)}.",
            )
        return ValueRange("uint8", 0.0, 255.0), found.notices(0, 255)
    if len({x.dtype.kind in "bui" for x in parts.values()}) > 1:
        listed = ", ".join(f"{part} {x.dtype}" for part, x in parts.items())
        raise DataError(
            f"The parts have different types: {listed}",
            "Give all in one type, for example uint8 as floats in [0, 1]: x / 255.",
        )
    if found.low < -TOLERANCE or found.high > 1 + TOLERANCE:
        raise _not_unit(found)
    notices = found.notices(0, 1)
    if 0 < found.high <= 1 / 255 + TOLERANCE:
        notices = [
            f"No value is above {number(found.high)}. If the values were divided by 255 twice, "
            f"give {range_option(0, 1 / 255)}.",
            *notices[1:],
        ]
    return ValueRange("float32", 0.0, 1.0), notices


def percentile_range(
    parts: Arrays,
    train: tuple[str, np.ndarray | None],
    per_channel: bool,
    names: Mapping[str, Sequence[str]] | None = None,
) -> tuple[ValueRange, list[str]]:
    """The range from low to high percentiles of the training part, and a notice that states it.

    train: the part of the source that holds the training examples, and their positions.

    Raises:
        DataError: NaN, infinity, values without spread, or no channels.
    """
    x, rows = parts[train[0]], train[1]
    if per_channel and x.ndim != 4:
        raise DataError(
            "per_channel is set, but the data have no channels",
            "Leave out --per-channel (per_channel=True).",
        )
    found = measured(parts, names)
    rows = np.arange(len(x)) if rows is None else rows
    each = math.prod(x.shape[1:])
    chosen = rows[:: max(1, -(-len(rows) * each // MAX_SAMPLED))]
    sample = x[chosen].astype(np.float64)
    values = np.moveaxis(sample, 1, 0).reshape(x.shape[1], -1) if per_channel else sample.ravel()
    low, high = np.percentile(values, PERCENTILES, axis=-1)
    if np.all(low >= high):
        raise DataError(
            f"The percentiles {PERCENTILES[0]} and {PERCENTILES[1]} of the training part are equal",
            f"Give the range as numbers: {range_option(*_spread(found.low, found.high))}.",
        )
    lows, highs = np.atleast_1d(low), np.atleast_1d(high)
    flat = np.flatnonzero(lows >= highs)
    highs[flat] = lows[flat] + 1
    spans = "; ".join(f"{number(a)} to {number(b)}" for a, b in zip(lows, highs, strict=True))
    outside = float(((lows > values.T) | (highs < values.T)).mean())
    notices = [
        f"The range is that of the percentiles {PERCENTILES[0]} and {PERCENTILES[1]} of the "
        f"training part{' of each channel' if per_channel else ''}: {spans}; {outside:.2%} of the "
        "values are beyond and are clipped."
    ]
    if len(flat):
        listed = ", ".join(map(str, flat))
        notices.append(
            f"The percentiles of the channels {listed} are equal, so these channels become 0 "
            "wherever they are not higher."
        )
    notices += found.notices(0, 0)  # nothing is narrow
    bounds = [tuple(v.tolist()) if per_channel else float(v[0]) for v in (lows, highs)]
    return ValueRange("float32", bounds[0], bounds[1], "percentiles"), notices


def is_integral(x: np.ndarray) -> bool:
    """Whether all values are whole numbers."""
    return x.dtype.kind in "bui" or all((block == np.rint(block)).all() for _, block in blocks(x))


def likely(low: float, high: float, integers: bool) -> tuple[float, float]:
    """The range to advise: a usual one that the values fill, or the measured one."""
    for bottom, top in USUAL_INTEGERS if integers else USUAL_FLOATS:
        inside = bottom <= low and high <= top and (bottom < 0) == (low < 0)
        if inside and (high >= FILLED * top or (bottom < 0 and low <= FILLED * bottom)):
            return bottom, top
    return low, high


def number(value: float) -> str:
    """A number for a message: whole numbers in full, others with six digits.

    >>> number(65535), number(0.123456789)
    ('65535', '0.123457')
    """
    return f"{value:.0f}" if value == round(value) and abs(value) <= 2**64 else f"{value:.6g}"


def range_option(low: float, high: float) -> str:
    """The option that gives a range, on the command line and in Python.

    Its numbers have six digits, or more where the range would look equal to its limits.

    >>> range_option(0, 0.123456789)
    '--range 0 0.123457 (value_range=(0, 0.123457))'
    """
    a, b = (_rounded(value, TOLERANCE / 2 * (high - low)) for value in (low, high))
    return f"--range {a} {b} (value_range=({a}, {b}))"


def _rounded(value: float, error: float) -> str:
    """A number with so few digits that the error is at most this large."""
    if value == round(value) and abs(value) <= 2**64:
        return number(value)
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    return next(text for text in texts if abs(float(text) - value) <= error)


def _spread(low: float, high: float) -> tuple[float, float]:
    """A range that holds these values, also if they are one."""
    return (low, high) if low < high else (min(0, low), max(0, high) or 1)


def _check_inside(found: Measured, bottom: float, top: float, what: str) -> None:
    slack = 0 if found.integers else TOLERANCE * (top - bottom)
    if found.low < bottom - slack or found.high > top + slack:
        raise DataError(
            f"The values are from {number(found.low)} to {number(found.high)}, outside {what}, "
            f"{number(bottom)} to {number(top)}",
            f"Give the full range: {range_option(min(found.low, bottom), max(found.high, top))}.",
        )


def _not_unit(found: Measured) -> DataError:
    low, high = found.low, found.high
    best = likely(*_spread(low, high), found.integers)
    usual = best not in ((low, high), _spread(low, high))
    guess = f", probably in the range {number(best[0])}..{number(best[1])}" if usual else ""
    fix = f"Give their range: {range_option(*best)}"
    if found.integers and not usual and low >= 0 and high < 255:
        fix += f", or {range_option(0, 255)} if 255 means white"
    return DataError(
        f"The values are {'integers' if found.integers else 'floats'} from {number(low)} to "
        f"{number(high)}{guess}, but must be in [0, 1] or uint8",
        f"{fix}.",
    )


def _example(i: int, part: str, names: Sequence[str]) -> str:
    where = "" if part == "all" else f" of the {part} part"
    return f"example {i}{where}" + (f" ({names[i]})" if names else "")


def _infinite(x: np.ndarray, part: str, names: Sequence[str]) -> DataError:
    bad = not_finite(x)
    first = _example(int(bad[0]), part, names)
    fix = "Remove these examples, or replace the values: np.nan_to_num(x, posinf=0, neginf=0)"
    if x.ndim == 2 and not np.isinf(x).any():
        fix += "; if they are missing values, give --scale standard (scale='standard')"
    return DataError(
        f"{first[0].upper()}{first[1:]} contains NaN or infinity ({len(bad):,} of {len(x):,} "
        "examples do)",
        f"{fix}.",
    )

"""Tables of measured times, and the targets of this package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """A target for the speed or the quality of this package, and the measured result.

    number: its position in the list.   what: what is measured.
    required, measured: the bound and the result, in words.
    reached: None if it could not be measured.
    """

    number: int
    what: str
    required: str
    measured: str
    reached: bool | None


def milliseconds(rows: Iterable[Row], name: str) -> float | None:
    """The median time of a step of a workload; None if it was not measured."""
    times = next((row.get("ms", ()) for row in rows if row["name"] == name), ())
    return median(times) if times else None


def milliseconds_per_image(rows: Sequence[Row], name: str) -> float | None:
    """The median time of a step, divided by its images; None if it was not measured."""
    step = milliseconds(rows, name)
    if step is None:
        return None
    return step / next(row["images"] for row in rows if row["name"] == name)


def times_faster(rows: Sequence[Row], one: str, other: str) -> float | None:
    """The speed of `one` relative to `other`, in images per second: a ratio of medians."""
    fast, slow = milliseconds_per_image(rows, one), milliseconds_per_image(rows, other)
    return None if fast is None or slow is None else slow / fast


def at_least(number: int, what: str, ratio: float | None, minimum: float) -> Target:
    """A target that a ratio is at least `minimum`."""
    reached = None if ratio is None else ratio >= minimum
    return Target(number, what, f"at least {minimum:g}", _in_words(ratio), reached)


def at_most(number: int, what: str, ratio: float | None, maximum: float) -> Target:
    """A target that a ratio is at most `maximum`."""
    reached = None if ratio is None else ratio <= maximum
    return Target(number, what, f"at most {maximum:g}", _in_words(ratio), reached)


def _in_words(ratio: float | None) -> str:
    return "not measured" if ratio is None else f"{ratio:.2f}"


def table(rows: Sequence[Row], base: str, step: str = "step of 200 images") -> str:
    """A Markdown table of timed rows; the last column is the time per image relative to `base`."""
    unit = milliseconds_per_image(rows, base)
    lines = [
        f"| {step} | ms, median | min to max | images/s | time per image, relative to {base} |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        if "not_measured" in row:
            lines.append(f"| {row['name']} | not measured: {row['not_measured']} | | | |")
            continue
        middle = median(row["ms"])
        form = ".2f" if middle < 100 else ",.0f"
        ratio = "" if unit is None else f"{middle / row['images'] / unit:.2f}"
        lines.append(
            f"| {row['name']} | {middle:{form}} "
            f"| {min(row['ms']):{form}} to {max(row['ms']):{form}} "
            f"| {row['images'] / middle * 1e3:,.0f} | {ratio} |"
        )
    return "\n".join(lines)

"""From the times of a race to tables and claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Claim:
    """What the program is to reach, and what was seen.

    number: its place in the list.   holds: None where it could not be measured.
    """

    number: int
    what: str
    asked: str
    seen: str
    holds: bool | None


def milliseconds(rows: Iterable[Row], name: str) -> float | None:
    """The median of a contender, milliseconds a step; None where it was not measured."""
    times = next((row.get("ms", ()) for row in rows if row["name"] == name), ())
    return median(times) if times else None


def for_image(rows: Sequence[Row], name: str) -> float | None:
    """The same for one image."""
    took = milliseconds(rows, name)
    if took is None:
        return None
    return took / next(row["images"] for row in rows if row["name"] == name)


def times_faster(rows: Sequence[Row], one: str, other: str) -> float | None:
    """How many images one works through while the other does one: a ratio of medians."""
    fast, slow = for_image(rows, one), for_image(rows, other)
    return None if fast is None or slow is None else slow / fast


def at_least(number: int, what: str, ratio: float | None, least: float) -> Claim:
    """A claim that one is so many times as fast as another."""
    seen = "not measured" if ratio is None else f"{ratio:.2f}"
    return Claim(
        number, what, f"at least {least:g}", seen, None if ratio is None else ratio >= least
    )


def at_most(number: int, what: str, ratio: float | None, most: float) -> Claim:
    """A claim that a ratio stays below a bound."""
    seen = "not measured" if ratio is None else f"{ratio:.2f}"
    return Claim(number, what, f"at most {most:g}", seen, None if ratio is None else ratio <= most)


def table(rows: Sequence[Row], base: str, step: str = "step of 200 images") -> str:
    """Rows of a race as a table; the last column counts an image's time in that of `base`."""
    unit = for_image(rows, base)
    lines = [
        f"| {step} | ms, median | min to max | images/s | time of an image, in that of {base} |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        if "not_measured" in row:
            lines.append(f"| {row['name']} | not measured: {row['not_measured']} | | | |")
            continue
        took = median(row["ms"])
        form = ".2f" if took < 100 else ",.0f"
        ratio = "" if unit is None else f"{took / row['images'] / unit:.2f}"
        lines.append(
            f"| {row['name']} | {took:{form}} | {min(row['ms']):{form}} to {max(row['ms']):{form}} "
            f"| {row['images'] / took * 1e3:,.0f} | {ratio} |"
        )
    return "\n".join(lines)

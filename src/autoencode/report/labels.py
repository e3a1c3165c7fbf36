"""Text and ticks of charts: widths, line breaks, and positions without overlaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from textwrap import wrap

import numpy as np
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullLocator,
)
from sklearn.isotonic import isotonic_regression

from autoencode.report.style import ROUND, SMALL, drawable

# Inches from one line of small text to the next.
LINE = 0.17
# Ticks within a factor of ten on a logarithmic axis of up to so many factors of ten.
SUBS = {1: (1, 1.5, 2, 3, 5, 7), 2: (1, 2, 5), 3: (1, 3), np.inf: (1,)}
# At most so many values are written below an axis one by one.
MAX_VALUES = 12
# Of a word, such as the name of a folder.
MAX_LETTERS = 40


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """The width of the longest line of a text, in inches."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    lines = text.split("\n")
    return float(
        max(text_to_path.get_text_width_height_descent(s, font, False)[0] for s in lines) / 72
    )


def wrapped(text: str, room: float, size: float = SMALL) -> str:
    """A text in lines of at most `room` inches; a longer word is cut only after 40 letters.

    Characters that the font lacks become question marks.

    >>> wrapped("a variational autoencoder", 1.0)
    'a variational\\nautoencoder'
    """
    words = [w if len(w) <= MAX_LETTERS else f"{w[: MAX_LETTERS - 1]}…" for w in str(text).split()]
    text = drawable(" ".join(words))
    for letters in range(len(text), 3, -1):
        lines = "\n".join(wrap(text, letters, break_long_words=False, break_on_hyphens=True))
        if text_width(lines, size) <= room:
            return lines
    return "\n".join(text.split())


def tick_label(value: float) -> str:
    """A number for an axis: not rounded, with thousands separators.

    >>> tick_label(0.5), tick_label(-20000.0), tick_label(1e-5)
    ('0.5', '−20,000', '1e−05')
    """
    text = f"{value:,.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:,.4g}"
    return text.replace("-", "−")


def scale(set_scale: Callable[..., None], values: np.ndarray, *, log: bool) -> None:
    """Make an axis linear or logarithmic; symmetric-logarithmic if a value is 0."""
    positive = values[values > 0]
    if not log or not len(positive):
        return
    if len(positive) == len(values):
        set_scale("log")
    else:
        set_scale("symlog", linthresh=positive.min(), linscale=0.6)


def put_ticks(axis: Axis, *, log: bool = False, most: int = 6) -> None:
    """Set ticks at round numbers within the current limits."""
    low, high = axis.get_view_interval()
    if log and 0 < 3 * low < high:
        subs = next(subs for decades, subs in SUBS.items() if high < low * 10**decades)
        locator: Locator = LogLocator(subs=subs)
    else:
        locator = MaxNLocator(most, steps=ROUND)
    _put(axis, locator)


def put_values(axis: Axis, values: Sequence[float]) -> None:
    """Set ticks at these values only."""
    _put(axis, FixedLocator(values))


def _put(axis: Axis, locator: Locator) -> None:
    axis.set_major_locator(locator)
    # Sums of steps may be near 0 instead of 0.
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_label(round(value, 12))))
    axis.set_minor_locator(NullLocator())


def separated(
    places: Sequence[float] | np.ndarray, sizes: Sequence[float], low: float, high: float
) -> np.ndarray:
    """Centres of intervals of these sizes, as near to `places` as possible without overlaps."""
    order = np.argsort(places, kind="stable")
    ordered = np.asarray(sizes, dtype=float)[order]
    # Where each centre would be if all intervals were stacked without gaps.
    stacked = np.cumsum(ordered) - ordered / 2
    shifts = isotonic_regression(np.asarray(places)[order] - stacked)
    found = np.empty(len(order))
    found[order] = stacked + np.clip(shifts, low, high - ordered.sum())
    return found

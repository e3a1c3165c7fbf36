"""Words and numbers that fit: their widths, line breaks, and places where they do not touch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from textwrap import wrap

import numpy as np
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from autoencode.report.style import ROUND, SMALL

# Inches from one line of small letters to the next.
LINE = 0.17
# Of an axis that is not linear: the steps within a factor of ten, from few to many.
SUBS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
# More values than these are no longer written below an axis one by one.
FEW = 12


@lru_cache(maxsize=4096)
def inches(text: str, size: float = SMALL, weight: str = "normal") -> float:
    """How wide the longest line of a text is."""
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    lines = text.split("\n")
    return float(
        max(text_to_path.get_text_width_height_descent(s, font, False)[0] for s in lines) / 72
    )


def folded(text: str, room: float, size: float = SMALL) -> str:
    """A text in as many lines as `room` inches ask for; a word that is longer is not cut.

    >>> folded("a variational autoencoder", 1.0)
    'a variational\\nautoencoder'
    """
    text = " ".join(str(text).split())
    for letters in range(len(text), 3, -1):
        lines = "\n".join(wrap(text, letters, break_long_words=False, break_on_hyphens=True))
        if inches(lines, size) <= room:
            return lines
    return "\n".join(text.split())


def figure_of(value: float) -> str:
    """A number for an axis: not rounded, its thousands apart.

    >>> figure_of(0.5), figure_of(-20000.0), figure_of(1e-5)
    ('0.5', '−20,000', '1e−05')
    """
    text = f"{value:,.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:,.4g}"
    return text.replace("-", "−")


def scale(set_scale: Callable[..., None], values: np.ndarray, *, log: bool) -> None:
    """Make an axis linear or logarithmic; beside a logarithm there is still a place for 0."""
    positive = values[values > 0]
    if not log or not len(positive):
        return
    if len(positive) == len(values):
        set_scale("log")
    else:
        set_scale("symlog", linthresh=positive.min(), linscale=0.6)


def put_ticks(axis: Axis, low: float, high: float, *, log: bool) -> None:
    """Round numbers along an axis from `low` to `high`, written out."""
    if log and low > 0:
        ticks = _steps(low, high)
    else:
        ticks = np.asarray(MaxNLocator(6, steps=ROUND).tick_values(low, high))
    put_values(axis, [tick for tick in ticks if low <= tick <= high])


def put_values(axis: Axis, values: Sequence[float]) -> None:
    """These numbers along an axis and no others."""
    axis.set_major_locator(FixedLocator(list(values)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: figure_of(value)))
    axis.set_minor_locator(NullLocator())


def _steps(low: float, high: float) -> np.ndarray:
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for subs in SUBS:
        found = np.sort(np.outer(decades, subs).ravel())
        found = found[(found >= low) & (found <= high)]
        if len(found) >= 4:
            return found
    return np.asarray(MaxNLocator(5, steps=ROUND).tick_values(low, high))


def apart(places: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Middles of things of these sizes: as near to `places` as may be without touching."""
    blocks: list[list[int]] = []

    def laid(block: list[int]) -> np.ndarray:
        """Where each of a block begins, and where the last ends."""
        edges = np.concatenate([[0.0], np.cumsum([sizes[i] for i in block])])
        middles = (edges[:-1] + edges[1:]) / 2
        start = np.mean([places[i] for i in block] - middles)
        return np.asarray(edges + max(low, min(high - edges[-1], start)))

    for i in np.argsort(places, kind="stable").tolist():
        blocks.append([i])
        # Neighbours that touch become one block, until none do.
        while len(blocks) > 1 and laid(blocks[-2])[-1] > laid(blocks[-1])[0] + 1e-9:
            last = blocks.pop()
            blocks[-1] += last
    found = np.zeros(len(places))
    for block in blocks:
        edges = laid(block)
        found[block] = (edges[:-1] + edges[1:]) / 2
    return found.tolist()

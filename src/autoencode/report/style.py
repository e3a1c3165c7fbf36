"""The style of all figures: colours, fonts and lines, independent of the user's own style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

# Inches. Figures are small with text of normal size, so that they are readable at half their width,
# on a phone.
WIDTH = 6.0
# Dots per inch of a figure as wide as the column of a page, and the same for high-density screens.
DPI, SHARP = 120, 240

INK, SOFT, RULE, FAINT, PAPER = "#1f2933", "#52606d", "#9aa5b1", "#e8ecf0", "#ffffff"
BLUE, ORANGE = "#2f6fb0", "#d9730d"
# Leading digits of the ticks of an axis.
ROUND = [1, 2, 2.5, 5, 10]
SMALL, NORMAL = 8.5, 10.0

# Ten colours that differ on white with normal vision and with each kind of colour blindness:
# CIEDE2000 differences of at least 17 and 11. The set is from M. A. Petroff, "Accessible color
# sequences for data visualization" (2021); the order is ours.
TEN = (
    "#3f90da",
    "#ffa90e",
    "#717581",
    "#bd1f01",
    "#832db6",
    "#92dadd",
    "#b9ac70",
    "#a96b59",
    "#e76300",
    "#94a4a2",
)
# Lightness of the first ten classes, of the second ten, and of the third ten.
ROUNDS = (1.0, 0.62, 0.4)

_FILE = Path(__file__).with_name("report.mplstyle")
_PARAMETERS = matplotlib.rc_params_from_file(str(_FILE), use_default_template=False)
STYLE: dict[str, Any] = {str(name): value for name, value in _PARAMETERS.items()}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style inside the context; also a decorator, `@styled()`."""
    with style.context(["default", STYLE]):
        yield


class Picture(Figure):
    """A matplotlib figure that notebooks display, without pyplot."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw in this style: matplotlib looks up a part of it only now."""
        with styled():
            super().draw(renderer)

    def pixels(self, dpi: float = SHARP) -> np.ndarray:
        """The figure as [H, W, 3], uint8."""
        before = self.dpi
        self.set_dpi(dpi)
        canvas = FigureCanvasAgg(self)
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib has no types for Agg
        rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]  # nor here
        self.set_dpi(before)
        return rgba[..., :3].copy()

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = self.get_size_inches()
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=SHARP)
        return buffer.getvalue(), {"width": round(100 * width), "height": round(100 * height)}


def new_figure(width: float = WIDTH, height: float = WIDTH, *, fitted: bool = False) -> Picture:
    """An empty figure, sizes in inches; `fitted` makes room for the text of its axes."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08) if fitted else None
    return Picture(figsize=(width, height), dpi=DPI, layout=layout)


def colours(n: int) -> list[str]:
    """One colour for each of n classes; from the eleventh on, darker versions of the ten."""
    chosen = []
    for i in range(n):
        lightness = ROUNDS[i // len(TEN) % len(ROUNDS)]
        red, green, blue = to_rgb(TEN[i % len(TEN)])
        chosen.append(to_hex((lightness * red, lightness * green, lightness * blue)))
    return chosen


def names(classes: Sequence[str], longest: int = 14, what: str = "class") -> list[str]:
    """Class names for a figure: shortened, and by number where the font has no glyph for a letter.

    what: the word before such a number.

    >>> names(["cat", "ankle boot, left or right", "猫"])
    ['cat', 'ankle boot, l…', 'class 2']
    """
    glyphs = _glyphs()
    fitting = []
    for i, name in enumerate(classes):
        line = " ".join(str(name).split())
        short = line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
        fitting.append(short if short and all(ord(c) in glyphs for c in short) else f"{what} {i}")
    return fitting


def drawable(text: str) -> str:
    """A text with a question mark for each character that the font lacks; line breaks stay.

    >>> drawable("vae 猫")
    'vae ?'
    """
    glyphs = _glyphs()
    return "".join(c if c == "\n" or ord(c) in glyphs else "?" for c in text)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def legend_below(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Add a legend of lines or dots, in rows of equal length, below a figure, which grows by it."""
    if not handles:
        return
    longest = max(len(str(each.get_label())) for each in handles)
    rows = -(-len(handles) // max(1, int(66 / (longest + 4.5))))
    columns = -(-len(handles) // rows)
    figure.set_figheight(figure.get_figheight() + 0.21 * rows)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        borderaxespad=0.4,
        handlelength=1.8,
    )


def dots(labels: Sequence[str], paint: Sequence[str]) -> list[Line2D]:
    """Coloured dots for a legend."""
    return [
        Line2D([], [], linestyle="", marker="o", markersize=6, color=colour, label=label)
        for label, colour in zip(labels, paint, strict=True)
    ]


def categories(axes: Axes, labels: Sequence[str], places: Sequence[float] | np.ndarray) -> None:
    """Name the rows of axes whose vertical direction has no unit."""
    axes.set_yticks(places, labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)

"""How every figure looks: one set of colours, letters and lines, whatever the user's own style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine

# Inches. Figures are drawn small with letters of ordinary size, so that they can still be read when
# a telephone shows them at half their width.
WIDTH = 6.0
# Dots per inch of a figure as wide as a page's column, and of screens with two dots for one.
DPI, SHARP = 120, 240

INK, SOFT, RULE, FAINT, PAPER = "#1f2933", "#52606d", "#9aa5b1", "#e8ecf0", "#ffffff"
BLUE, ORANGE = "#2f6fb0", "#d9730d"
# Where round numbers are wanted on an axis.
ROUND = [1, 2, 2.5, 5, 10]
SMALL, NORMAL = 8.5, 10.0

# Ten colours that stay apart on white with normal vision and with each kind of colour blindness:
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
# What a second and a third round of the ten do to lightness.
ROUNDS = (1.0, 0.62, 0.4)

_GROUPS = (
    "axes figure font grid hatch image legend lines mathtext patch path savefig scatter text xaxis "
    "xtick yaxis ytick"
).split()
STYLE: dict[str, Any] = {
    **{k: v for k, v in matplotlib.rcParamsDefault.items() if k.split(".")[0] in _GROUPS},
    "font.family": ["DejaVu Sans"],
    "font.size": NORMAL,
    # A class may be called "$5": names are text, never formulas.
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": SOFT,
    "axes.labelsize": NORMAL,
    "axes.labelpad": 5.0,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": NORMAL,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": SMALL + 0.5,
    "ytick.labelsize": SMALL + 0.5,
    "legend.frameon": False,
    "legend.fontsize": SMALL + 0.5,
    "legend.handletextpad": 0.2,
    "legend.columnspacing": 1.1,
    "lines.linewidth": 1.6,
}


@contextmanager
def styled() -> Iterator[None]:
    """What is drawn within is drawn in the house's style; nothing outside changes.

    Also a decorator, `@styled()`.
    """
    with matplotlib.rc_context(STYLE):
        yield


class Picture(Figure):
    """A matplotlib figure that notebooks show by themselves, with no pyplot behind it."""

    def draw(self, renderer: RendererBase) -> None:
        """Draw in the house's style: some of it is looked up only now."""
        with styled():
            super().draw(renderer)

    def pixels(self, dpi: float = SHARP) -> np.ndarray:
        """The figure as [H, W, 3], uint8."""
        before = self.dpi
        self.set_dpi(dpi)
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        image = np.asarray(canvas.buffer_rgba())[..., :3].copy()
        self.set_dpi(before)
        return image

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        width, height = self.get_size_inches()
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=SHARP)
        return buffer.getvalue(), {"width": round(100 * width), "height": round(100 * height)}


def new_figure(width: float = WIDTH, height: float = WIDTH, *, fitted: bool = False) -> Picture:
    """An empty figure of so many inches; `fitted` makes room for what its axes say."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08) if fitted else None
    return Picture(figsize=(width, height), dpi=DPI, layout=layout)


def colours(n: int) -> list[str]:
    """One colour for each of n classes; from the eleventh on, darker rounds of the ten."""
    chosen = []
    for i in range(n):
        hsv = rgb_to_hsv(to_rgb(TEN[i % len(TEN)]))
        hsv[2] *= ROUNDS[i // len(TEN) % len(ROUNDS)]
        chosen.append(to_hex(tuple(hsv_to_rgb(hsv))))
    return chosen


def names(classes: Sequence[str], longest: int = 14) -> list[str]:
    """Class names that fit into a figure: shortened, and by number where the font lacks a letter.

    >>> names(["cat", "ankle boot, left or right", "猫"])
    ['cat', 'ankle boot, l…', 'class 2']
    """
    glyphs = _glyphs()
    fitting = []
    for i, name in enumerate(classes):
        line = " ".join(str(name).split())
        short = line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
        fitting.append(short if short and all(ord(c) in glyphs for c in short) else f"class {i}")
    return fitting


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def number(value: float) -> str:
    """A tick's number, with the sign that is as wide as a plus.

    >>> number(-0.5), number(12.0)
    ('−0.5', '12')
    """
    return f"{value:g}".replace("-", "−")


def legend_rows(labels: Sequence[str]) -> int:
    """How many rows a legend of these names takes under a figure of the usual width."""
    if not labels:
        return 0
    columns = max(1, int(66 / (max(len(label) for label in labels) + 4.5)))
    return -(-len(labels) // columns)


def legend_below(figure: Figure, axes: Axes, labels: Sequence[str], paint: Sequence[str]) -> None:
    """A legend of coloured dots under the figure, in rows of equal length."""
    dots = [
        axes.plot([], [], "o", color=colour, markersize=6, label=label)[0]
        for label, colour in zip(labels, paint, strict=True)
    ]
    columns = -(-len(labels) // legend_rows(labels))
    figure.legend(handles=dots, loc="outside lower center", ncols=columns, borderaxespad=0.4)

"""Scatter plots of codes: limits, colours of the classes, and class names among the points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor
from torch.nn.functional import normalize

from autoencode.report.style import BLUE, NORMAL, PAPER, colours, dots, legend_below, names

# Share of the points outside the limits at each side of each axis, if there are so many points.
OUTLIERS, MIN_POINTS = 0.0025, 400
PADDING = 1.06
# Width of a letter and height of a line as fractions of the axes.
LETTER, LINE = 0.016, 0.045
# More names than these hide the points, unless they have at most so many letters.
MAX_NAMES, MAX_SHORT = 12, 2


def draw_points(
    figure: Figure,
    axes: Axes,
    points: Float[Tensor, "n 2"],
    y: Tensor | None,
    classes: Sequence[str],
    outliers: float | None = None,
    share: float = 1.0,
) -> None:
    """Draw points into square axes, coloured by class, with the class names and a legend.

    outliers: share of the points outside the limits at each side; None: few, if there are many
        points.
    share: width of the axes as a share of the figure's; small axes have neither names nor legend.
    """
    low, high = limits(points, outliers)
    # In random order, so that no class hides another.
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0)).numpy()
    present = present_classes(y)
    labels, class_paint = class_styles(classes, present)
    paint: str | np.ndarray = BLUE
    if y is not None:
        paint = np.array(colours(max(present) + 1))[y.numpy()][order]
    size = float(np.clip(50_000 / len(points), 4.5, 30)) * share
    alpha = float(np.clip(3_000 / len(points), 0.6, 0.9))
    across, up = points.numpy()[order].T
    axes.scatter(across, up, s=size, c=paint, alpha=alpha, linewidths=0, rasterized=True)
    if share == 1:
        _write_names(axes, labels, [points[y == label] for label in present], low, high)
        legend_below(figure, dots(labels, class_paint))
    (left, bottom), (right, top) = low.tolist(), high.tolist()
    axes.set(xlim=(left, right), ylim=(bottom, top), box_aspect=1)


def limits(
    points: Float[Tensor, "n 2"], outliers: float | None = None
) -> tuple[Float[Tensor, " xy"], Float[Tensor, " xy"]]:
    """The corners of a square around the points, without a share of outliers at each side."""
    if outliers is None:
        outliers = OUTLIERS if len(points) >= MIN_POINTS else 0.0
    low, high = points.quantile(torch.tensor([outliers, 1 - outliers]), dim=0)
    half = (high - low).max() / 2 * PADDING
    # Points in one place still need limits.
    half = half if half > 0 else torch.tensor(0.5)
    middle = (low + high) / 2
    return middle - half, middle + half


def present_classes(y: Tensor | None) -> list[int]:
    """The classes of labels [N], in ascending order; none without labels."""
    return [] if y is None else sorted(set(y.tolist()))


def class_styles(classes: Sequence[str], present: Sequence[int]) -> tuple[list[str], list[str]]:
    """Name and colour of each class that is present."""
    if not present:
        return [], []
    labels, paint = names(classes), colours(max(present) + 1)
    return [labels[label] for label in present], [paint[label] for label in present]


def _write_names(
    axes: Axes, labels: Sequence[str], members: Sequence[Tensor], low: Tensor, high: Tensor
) -> None:
    """Write each class name in the middle of its points [m, 2]; none if they are many and long."""
    longest = max((len(label) for label in labels), default=0)
    if not labels or (len(labels) > MAX_NAMES and longest > MAX_SHORT):
        return
    places = _places(members, low, high, longest)
    for label, (x, y) in zip(labels, places.tolist(), strict=True):
        axes.text(
            x,
            y,
            label,
            ha="center",
            va="center",
            size=NORMAL + 1 if len(label) <= MAX_SHORT else NORMAL - 2,
            weight="bold",
            path_effects=[withStroke(linewidth=3, foreground=PAPER)],
        )


def _places(members: Sequence[Tensor], low: Tensor, high: Tensor, longest: int) -> Tensor:
    """Positions of the names, [K, 2]: the medians of the classes, moved until none touch."""
    middles = torch.stack([own.quantile(0.5, dim=0) for own in members])
    # In units of the width and height of a name.
    unit = (high - low) * torch.tensor([max(LETTER * longest, LINE), LINE])
    places = (middles - low) / unit
    for _ in range(50):
        gaps = places.unsqueeze(1) - places
        near = gaps.norm(dim=-1)
        # Two at the same place move apart in the order of the classes.
        order = torch.arange(len(places)).float()
        aside = (order.view(-1, 1, 1) - order.view(1, -1, 1)).sign()
        gaps = torch.where((near < 1e-6).unsqueeze(-1), aside, gaps)
        push = (1 - near).clamp_min(0).unsqueeze(-1) * normalize(gaps, dim=-1)
        places = places + push.sum(1) / 4
    inside = (places * unit / (high - low)).clamp(0.03, 0.97)
    return low + inside * (high - low)

"""The code plane: where the examples' codes lie, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.distributions import Independent, Normal

from autoencode.contract import Space
from autoencode.report.figures.names import write_names
from autoencode.report.formatting import count, numbers
from autoencode.report.style import (
    BLUE,
    FAINT,
    ROUND,
    WIDTH,
    Picture,
    colours,
    legend_below,
    legend_rows,
    names,
    new_figure,
    styled,
)
from autoencode.report.tables import Table, code_columns
from autoencode.report.view import View

TITLE = "Where the examples went"
# The window leaves out this share of codes at each side of each axis, where there are many.
OUTLIERS, MANY = 0.0025, 400
PADDING = 1.06
BINS = 80


@styled()
def draw(view: View) -> Picture:
    """A dot for each code; for codes of one number a histogram for each class."""
    labels, _ = class_looks(view.classes, view.present())
    if view.latent == 1:
        height = 1.0 + max(2.2, 0.42 * len(labels))
    else:
        height = WIDTH + 0.1 + 0.2 * legend_rows(labels)
    figure = new_figure(WIDTH, height, fitted=True)
    show_codes(figure, figure.add_subplot(), view)
    return figure


def show_codes(figure: Figure, axes: Axes, view: View) -> None:
    """Draw the codes into axes; a legend comes below the whole figure."""
    if view.latent == 1:
        _histograms(axes, view)
        return
    _scatter(axes, view)
    if present := view.present():
        labels, paint = class_looks(view.classes, present)
        legend_below(figure, axes, labels, paint)


def _scatter(axes: Axes, view: View) -> None:
    draw_dots(axes, view.plane.project(view.codes), view.y, view.classes)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=ROUND))
    name_axes(axes, view)


def draw_dots(
    axes: Axes,
    points: Float[Tensor, "n 2"],
    y: Tensor | None,
    classes: Sequence[str],
    outliers: float | None = None,
) -> None:
    """Draw a dot for each point into square axes, coloured by class, and the classes' names.

    outliers: the share that may lie outside at each side; None leaves out few, where there are
        many.
    """
    low, high = window(points, outliers)
    # In random order: drawn class by class, the last would hide all others.
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0)).numpy()
    present = [] if y is None else y.unique().tolist()
    labels, _ = class_looks(classes, present)
    dots: str | np.ndarray = BLUE
    if y is not None:
        dots = np.array(colours(max(present) + 1))[y.numpy()][order]
    size = float(np.clip(50_000 / len(points), 4.5, 30))
    alpha = float(np.clip(3_000 / len(points), 0.6, 0.9))
    across, up = points.numpy()[order].T
    axes.scatter(across, up, s=size, c=dots, alpha=alpha, linewidths=0, rasterized=True)
    write_names(axes, labels, [points[y == label] for label in present], low, high)
    (left, bottom), (right, top) = low.tolist(), high.tolist()
    axes.set(xlim=(left, right), ylim=(bottom, top), box_aspect=1)


def name_axes(axes: Axes, view: View) -> None:
    """Say what the two axes of the code plane are."""
    axes.set(xlabel=axis_name(view, 0), ylabel=axis_name(view, 1))


def axis_name(view: View, axis: int) -> str:
    """What an axis of the code plane, 0 or 1, is."""
    if view.plane.whole:
        return ("first number of the code", "second number of the code")[axis]
    return f"principal component {axis + 1} ({view.plane.share[axis]:.0%} of variance)"


def window(
    points: Float[Tensor, "n 2"], outliers: float | None = None
) -> tuple[Float[Tensor, " xy"], Float[Tensor, " xy"]]:
    """The corners of a square that holds the points but for a share of outliers at each side."""
    if outliers is None:
        outliers = OUTLIERS if len(points) >= MANY else 0.0
    low, high = points.quantile(torch.tensor([outliers, 1 - outliers]), dim=0)
    half = (high - low).max() / 2 * PADDING
    # All codes in one place still need a window.
    half = half if half > 0 else torch.tensor(0.5)
    middle = (low + high) / 2
    return middle - half, middle + half


def class_looks(classes: Sequence[str], present: Sequence[int]) -> tuple[list[str], list[str]]:
    """Name and colour of each class that is present."""
    if not present:
        return [], []
    known, paint = names(classes), colours(max(present) + 1)
    return [known[label] for label in present], [paint[label] for label in present]


def _histograms(axes: Axes, view: View) -> None:
    values = view.codes[:, 0]
    outliers = OUTLIERS if len(values) >= MANY else 0.0
    low, high = values.quantile(torch.tensor([outliers, 1 - outliers])).tolist()
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    present = view.present()
    labels, paint = class_looks(view.classes, present) if present else (["all"], [BLUE])
    groups = [values[view.members(label)] for label in present] if present else [values]
    for row, (group, colour) in enumerate(zip(groups, paint, strict=True)):
        heights, _ = np.histogram(group.numpy(), edges)
        # Each class to its own height: their shapes are to be compared, not their sizes.
        tops = -row + 0.88 * heights / max(1, heights.max())
        axes.axhline(-row, color=FAINT, linewidth=0.8)
        axes.stairs(tops, edges, baseline=-row, fill=True, color=colour)
    axes.set(xlim=(low, high), xlabel="the code's one number", ylabel="class")
    axes.set_yticks(-np.arange(len(groups)), labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def table(view: View) -> Table:
    """A row for each code, in the order of the test set."""
    if view.latent == 1:
        where: dict[str, np.ndarray] = code_columns(view.codes)
    else:
        points = view.plane.project(view.codes).numpy()
        where = {axis_name(view, i): points[:, i] for i in (0, 1)}
    return Table(
        {
            "position in the test set": view.places.numpy(),
            **where,
            **view.labels(torch.arange(len(view.codes))),
            "squared error, summed over one example": view.errors.numpy(),
        },
        # There are thousands of rows, and no eye tells places apart by more.
        digits=3,
    )


def about(view: View) -> str:
    """What the figure is."""
    n = count(len(view.codes))
    shown = n if view.of == len(view.codes) else f"{n} of {count(view.of)}"
    labelled = view.y is not None
    if view.latent == 1:
        rows = ", a row for each class, each drawn to its own height" if labelled else ""
        return (
            f"How the codes of {shown} test examples lie on their one number{rows}. What shares a "
            "place here decodes to the same image."
        )
    if not labelled:
        return (
            f"Every dot is the code of one of {shown} test examples. See whether they form islands "
            "or one cloud, and where there are gaps."
        )
    dots = f"Every dot is the code of one of {shown} test examples. Colours are the labels, "
    if view.by_label or view.model.sizes.context:
        known = "tells from" if view.tells else "takes beside"
        return (
            f"{dots}which the model {known} the image; a name stands in the middle of its "
            "class. What the label says, the code need not: see how far the classes share a place."
        )
    return (
        f"{dots}which the model never saw; a name stands in the middle of its class. See which "
        "classes found a place of their own, and which still share one."
    )


def see(view: View) -> str:
    """What to see in it."""
    parts = [_drawn_to(view)]
    if view.latent == 1:
        return parts[0]
    if not view.plane.whole:
        left = 1 - sum(view.plane.share)
        parts.append(
            f"Codes have {numbers(view.latent)}; this is the plane of their first two principal "
            f"components, which leaves out {left:.0%} of their variance: what overlaps here may "
            "lie apart in another direction."
        )
    if outside := _outside(view):
        parts.append(f"{count(outside)} far-off codes lie outside of the frame.")
    return " ".join(parts)


def _drawn_to(view: View) -> str:
    """Where the model's prior wants its codes."""
    prior = view.model.prior()
    if prior is None:
        return "Nothing told this model where its codes should lie; see how they spread."
    if view.model.space is Space.BOX:
        return "The prior has spread the codes evenly over a box, with few gaps."
    if view.model.space is Space.SPHERE:
        return "The prior has spread the codes evenly over a sphere, with few gaps."
    if isinstance(prior, Independent) and isinstance(prior.base_dist, Normal):
        return "The prior has drawn the codes together around the origin, with few gaps."
    return "The prior was learned together with the codes: see which clusters the two agreed on."


def _outside(view: View) -> int:
    points = view.plane.project(view.codes)
    low, high = window(points)
    return int(((points < low) | (points > high)).any(1).sum())


def alt(view: View) -> str:
    """The figure in words."""
    kind = "A histogram for each class" if view.latent == 1 else "A scatter plot"
    coloured = f", coloured by {len(view.present())} classes" if view.y is not None else ""
    return f"{kind} of the codes of {count(len(view.codes))} test examples{coloured}."

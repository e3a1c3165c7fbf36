"""The map of neighbours: a projection of the codes that keeps those near that are near."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.neighbors import NearestNeighbors  # type: ignore[import-untyped]
from torch import Tensor

from autoencode.evaluation import Projection
from autoencode.report.figures.plane import class_looks, draw_dots
from autoencode.report.formatting import count
from autoencode.report.style import (
    WIDTH,
    Picture,
    legend_below,
    legend_rows,
    new_figure,
    styled,
)
from autoencode.report.tables import Table

TITLE = "Who is whose neighbour"
NAMES = {"tsne": "t-SNE", "umap": "UMAP"}


@styled()
def draw(found: Projection, y: Tensor | None, classes: Sequence[str], told: bool) -> Picture:
    """A dot for each code, without axes: places and distances on the map have no unit.

    y: the class of each, in `classes`; None without labels.
    told: the model is told the class, so that its codes need not hold it.
    """
    labels, paint = class_looks(classes, _present(y))
    figure = new_figure(WIDTH, WIDTH + 0.1 + 0.2 * legend_rows(labels), fitted=True)
    axes = figure.add_subplot()
    draw_dots(axes, found.points, y, classes, outliers=0.0)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(True)
    if labels:
        legend_below(figure, axes, labels, paint)
    return figure


def _present(y: Tensor | None) -> list[int]:
    return [] if y is None else y.unique().tolist()


def table(found: Projection, y: Tensor | None, classes: Sequence[str], told: bool) -> Table:
    """A row for each code on the map, in the order of the test set."""
    name = NAMES[found.method]
    labels = {} if y is None else {"label": [classes[label] for label in y.tolist()]}
    return Table(
        {
            "position in the test set": found.rows.numpy(),
            **{f"{name} {i + 1}": found.points[:, i].numpy() for i in (0, 1)},
            **labels,
        }
    )


def about(found: Projection, y: Tensor | None, classes: Sequence[str], told: bool) -> str:
    """What the figure is."""
    n = count(len(found.points))
    shown = n if found.of == len(found.points) else f"{n} of {count(found.of)}"
    coloured = ", coloured by class" if y is not None else ""
    return (
        f"A {NAMES[found.method]} map of the codes of {shown} test examples{coloured}: drawn so "
        "that the nearest neighbours of each code, by all of its numbers, lie around it. The "
        "distance between two groups, and how large or dense one is, mean nothing here, nor do "
        "directions."
    )


def see(found: Projection, y: Tensor | None, classes: Sequence[str], told: bool) -> str:
    """What to see in it."""
    if y is None:
        return "See whether the codes fall into groups, or go over into each other everywhere."
    if told:
        look = (
            "The model is told the class beside the image, and its codes need not hold it: see "
            "how far the classes lie in one another. "
        )
    else:
        look = (
            "See which classes are an island, or several, which two run into each other, and which "
            "dots lie in the island of another class: by its code, such an example is one of "
            "those. "
        )
    return (
        f"{look}For {_agreeing(found, y):.0%} of the dots the nearest one is of the same class; "
        f"were all classes mixed, for {_by_chance(y):.0%}."
    )


def _by_chance(y: Tensor) -> float:
    """How often two examples are of one class."""
    return float((y.unique(return_counts=True)[1] / len(y)).square().sum())


def _agreeing(found: Projection, y: Tensor) -> float:
    """The share of dots whose nearest other dot is of their class."""
    points = found.points.numpy()
    near = NearestNeighbors(n_neighbors=1).fit(points).kneighbors(return_distance=False)
    return float((y.numpy()[near[:, 0]] == y.numpy()).mean())


def alt(found: Projection, y: Tensor | None, classes: Sequence[str], told: bool) -> str:
    """The figure in words."""
    groups = ""
    if y is not None:
        groups = (
            f", coloured by {len(_present(y))} classes; {_agreeing(found, y):.0%} of the dots are "
            "of the class of the dot nearest to them"
        )
    return (
        f"A scatter plot, by {NAMES[found.method]}, of the codes of {count(len(found.points))} "
        f"test examples{groups}."
    )

"""Random codes of each model, decoded."""

from __future__ import annotations

from collections.abc import Mapping

from autoencode.report.charts.fit import folded
from autoencode.report.figures import samples
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table, joined_code_columns, left_out
from autoencode.report.view import View

TITLE = samples.TITLE
ROWS, COLUMNS = 2, 10
# Inches of a model's name.
NAME = 1.0


@styled()
def draw(views: Mapping[str, View]) -> Picture:
    """Two rows of images for each model."""
    rows = []
    for name, view in views.items():
        pictures = view.decoded(samples.random_codes(view, ROWS * COLUMNS))
        label = folded(name, NAME, SMALL + 1)
        rows.append(Row(pictures[:COLUMNS], label, after=0.035))
        rows.append(Row(pictures[COLUMNS:], after=0.2))
    return draw_rows(rows)


def table(views: Mapping[str, View]) -> Table:
    """A row for each code, in reading order."""
    codes = [samples.random_codes(view, ROWS * COLUMNS) for view in views.values()]
    return Table(
        {
            "model": [name for name in views for _ in range(ROWS * COLUMNS)],
            "image": [*range(1, ROWS * COLUMNS + 1)] * len(views),
            **joined_code_columns(codes),
        },
        note=left_out(max(each.shape[1] for each in codes)),
    )


def about(views: Mapping[str, View]) -> str:
    """What the figure is."""
    return (
        "Each image is what a random code decodes to: the first ones drawn, none was chosen. "
        "Models that have a distribution of codes draw from it, the others from the box that just "
        "holds the codes of the test examples."
    )


def see(views: Mapping[str, View]) -> str:
    """What to see in it."""
    words = [
        f"{name}, from {_source(view)}: {samples.strays(view):.0%}" for name, view in views.items()
    ]
    return (
        "The share of such codes that lie farther from every test code than 99% of the test codes "
        f"do from their nearest neighbours: {'; '.join(words)}."
    )


def _source(view: View) -> str:
    if view.fitted:
        return "what was fitted to the training codes"
    return "the box of the test codes" if view.prior_codes is None else "the prior"


def alt(views: Mapping[str, View]) -> str:
    """The figure in words."""
    return f"{ROWS * COLUMNS} images of random codes for each of {', '.join(views)}."

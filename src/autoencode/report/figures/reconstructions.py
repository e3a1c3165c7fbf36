"""Originals beside their reconstructions, on test data."""

from __future__ import annotations

import torch

from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count, numbers, short
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

TITLE = "What comes back"
COLUMNS = 8


@styled()
def draw(view: View) -> Picture:
    """Pairs, the original above: at random, and those of middle error."""
    rows = []
    for label, which in _chosen(view).items():
        for start in range(0, len(which), COLUMNS):
            block = which[start : start + COLUMNS]
            rows.append(Row(view.originals(block), "" if start else label, after=0.02))
            notes = [short(error) for error in view.errors[block].tolist()]
            pictures = view.decoded(view.codes[block], block)
            rows.append(Row(pictures, "", notes=notes, after=0.14))
    return draw_rows(rows)


def _chosen(view: View) -> dict[str, torch.Tensor]:
    n = len(view.errors)
    columns = min(COLUMNS, n)
    middle = (n - columns) // 2
    drawn = torch.randperm(n, generator=torch.Generator().manual_seed(1))
    order = view.errors.argsort(stable=True)
    return {"random": drawn[: 2 * columns], "median": order[middle : middle + columns]}


def table(view: View) -> Table:
    """A row for each pair, in reading order."""
    chosen = _chosen(view)
    which = torch.cat(list(chosen.values()))
    return Table(
        {
            "row": [row for row, of_row in chosen.items() for _ in of_row],
            "position in the test set": view.places[which].numpy(),
            **view.labels(which),
            "squared error, summed over one example": view.errors[which].numpy(),
        }
    )


def about(view: View) -> str:
    """What the figure is."""
    sizes = view.model.sizes
    return (
        "Each pair is a test example, never seen in training, above what the model makes of its "
        f"code of {numbers(sizes.latent)}. The number below a pair is its squared error, summed "
        f"over {count(sizes.pixels)} values. The first rows are drawn at random; then come those "
        f"around the median error of {count(len(view.errors))}."
    )


def see(view: View) -> str:
    """What to see in it."""
    middle = short(view.errors.median().item())
    return (
        f"Half of the errors lie below {middle}. See what the code keeps, what it smooths away, "
        "and what comes back as something more ordinary."
    )


def alt(view: View) -> str:
    """The figure in words."""
    low, middle, high = view.errors.quantile(torch.tensor([0.0, 0.5, 1.0])).tolist()
    return (
        "Rows of test examples, each above its reconstruction: random ones, and those at the "
        f"median. Squared errors reach from {short(low)} over a median of "
        f"{short(middle)} to {short(high)}."
    )

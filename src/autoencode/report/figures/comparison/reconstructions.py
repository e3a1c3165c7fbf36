"""The same test examples through each model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from autoencode.report.charts.fit import folded
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count, short
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

TITLE = "What comes back"
COLUMNS = 10
# Inches of a model's name.
NAME = 1.0


@styled()
def draw(views: Mapping[str, View]) -> Picture:
    """Blocks of the originals above a row for each model."""
    rows = []
    for title, which in chosen(views).items():
        first = next(iter(views.values()))
        rows.append(Row(first.originals(which), f"original,\n{title}", after=0.07))
        for name, view in views.items():
            pictures = view.decoded(view.codes[which], which)
            rows.append(Row(pictures, folded(name, NAME, SMALL + 1), after=0.035))
        rows[-1] = Row(rows[-1].pictures, rows[-1].label, after=0.3)
    return draw_rows(rows)


def chosen(views: Mapping[str, View]) -> dict[str, Tensor]:
    """Positions of the examples of each block, the same for every model of one data set."""
    errors = _errors(views)
    drawn = torch.randperm(len(errors), generator=torch.Generator().manual_seed(1))
    hardest = errors.argsort(stable=True, descending=True)
    return {"at random": drawn[:COLUMNS], "hardest": hardest[:COLUMNS]}


def _errors(views: Mapping[str, View]) -> Tensor:
    """Of each example, the mean over the models."""
    return torch.stack([view.errors.double() for view in views.values()]).mean(0)


def table(views: Mapping[str, View]) -> Table:
    """A row for each example, with its error under each model."""
    blocks = chosen(views)
    which = torch.cat(list(blocks.values()))
    first = next(iter(views.values()))
    return Table(
        {
            "row": [title for title, of_row in blocks.items() for _ in of_row],
            "position in the test set": first.places[which].numpy(),
            **first.labels(which),
            **{f"squared error, {k}": view.errors[which].numpy() for k, view in views.items()},
        }
    )


def about(views: Mapping[str, View]) -> str:
    """What the figure is."""
    n = count(len(_errors(views)))
    return (
        "Test examples, never seen in training, and below them what each model makes of the very "
        f"same ones. Those of the first block are drawn at random; those of the second have, of "
        f"{n}, the highest error in the mean over the models."
    )


def see(views: Mapping[str, View]) -> str:
    """What to see in it."""
    which = chosen(views)["hardest"]
    words = [f"{short(v.errors[which].mean().item())} ({name})" for name, v in views.items()]
    return f"The mean squared error of the hardest ones: {', '.join(words)}."


def alt(views: Mapping[str, View]) -> str:
    """The figure in words."""
    return (
        f"Two blocks of {COLUMNS} test examples, and below them a row of reconstructions for each "
        f"of {', '.join(views)}. {see(views)}"
    )

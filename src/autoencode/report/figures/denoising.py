"""What a denoising model makes of spoiled examples."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import short
from autoencode.report.style import Picture, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

TITLE = "What it restores"
COLUMNS = 10


@styled()
def draw(view: View) -> Picture:
    """Clean examples, spoiled ones, and what the model makes of these."""
    clean, seen, restored = view.restored
    errors = _errors(restored, clean)
    rows = []
    for start in range(0, len(clean), COLUMNS):
        block = slice(start, start + COLUMNS)
        rows.append(Row(view.tiles(clean[block]), "clean", after=0.02))
        rows.append(Row(view.tiles(seen[block]), "seen", after=0.02))
        notes = [short(error) for error in errors[block].tolist()]
        rows.append(Row(view.tiles(restored[block]), "restored", notes=notes, after=0.14))
    return draw_rows(rows)


def _errors(images: Tensor, clean: Tensor) -> Tensor:
    return (images - clean).square().flatten(1).sum(1)


def table(view: View) -> Table:
    """A row for each example."""
    clean, seen, restored = view.restored
    which = torch.arange(len(clean))
    return Table(
        {
            "position in the test set": view.places[which].numpy(),
            **view.labels(which),
            "squared error as seen, summed over one example": _errors(seen, clean).numpy(),
            "squared error restored, summed over one example": _errors(restored, clean).numpy(),
        }
    )


def about(view: View) -> str:
    """What the figure is."""
    return (
        "The top row of each block holds test examples, the row below it the same ones spoiled as "
        "in training: all that the model was shown. Under each restored one stands its squared "
        "error against the clean one."
    )


def see(view: View) -> str:
    """What to see in it."""
    clean, seen, restored = view.restored
    before, after = (_errors(images, clean).mean().item() for images in (seen, restored))
    return f"Restoring brought the squared error of these from {short(before)} to {short(after)}."


def alt(view: View) -> str:
    """The figure in words."""
    return f"Rows of clean, spoiled and restored test examples. {see(view)}"

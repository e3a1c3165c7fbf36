"""The test examples that come back best and worst."""

from __future__ import annotations

from collections import Counter

import torch

from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.formatting import count, short
from autoencode.report.style import Picture, names, styled
from autoencode.report.tables import Table
from autoencode.report.view import View

TITLE = "Best and worst"
# How many are shown; the best look much alike.
BEST, WORST = 8, 16
# Pairs in a row, and letters of a class's name above one.
COLUMNS, LONGEST = 8, 8


@styled()
def draw(view: View, best: int, mean: float) -> Picture:
    """Pairs, the original above: first the `best` of lowest error, then those of highest."""
    known = names(view.classes, longest=LONGEST)
    rows = []
    for label, which in _parts(view, best).items():
        for start in range(0, len(which), COLUMNS):
            block = which[start : start + COLUMNS]
            heads = [] if view.y is None else [known[k] for k in view.y[block].tolist()]
            notes = [short(error) for error in view.errors[block].tolist()]
            rows.append(Row(view.originals(block), "" if start else label, heads, after=0.02))
            pictures = view.decoded(view.codes[block], block)
            rows.append(Row(pictures, "", notes=notes, after=0.14))
    return draw_rows(rows)


def _parts(view: View, best: int) -> dict[str, torch.Tensor]:
    order = torch.arange(len(view.errors))
    return {"best": order[:best], "worst": order[best:]}


def table(view: View, best: int, mean: float) -> Table:
    """A row for each pair, in reading order."""
    parts = _parts(view, best)
    which = torch.cat(list(parts.values()))
    return Table(
        {
            "row": [name for name, part in parts.items() for _ in part],
            "position in the test set": view.places[which].numpy(),
            **view.labels(which),
            "squared error, summed over one example": view.errors[which].numpy(),
        }
    )


def about(view: View, best: int, mean: float) -> str:
    """What the figure is."""
    named = "; above a pair stands its class" if view.y is not None else ""
    return (
        f"Of {count(view.of)} test examples the {best} of the lowest and the "
        f"{len(view.errors) - best} of the highest squared error, each above its "
        f"reconstruction{named}. The number below is the error, summed over "
        f"{count(view.model.sizes.pixels)} values."
    )


def see(view: View, best: int, mean: float) -> str:
    """What to see in it."""
    worst = view.errors[best:]
    times = f"{worst.max().item() / mean:.1f} times the mean of {short(mean)}" if mean > 0 else ""
    parts = [f"The worst error is {times}." if times else ""]
    if view.y is not None:
        label, most = Counter(view.y[best:].tolist()).most_common(1)[0]
        if most > 1:
            name = names(view.classes)[label]
            parts.append(f"{most} of the {len(worst)} worst are of the class “{name}”.")
    parts.append("See what the best have in common, and what is unusual in the worst.")
    return " ".join(part for part in parts if part)


def alt(view: View, best: int, mean: float) -> str:
    """The figure in words."""
    low, high = view.errors.min().item(), view.errors.max().item()
    return (
        "Test examples above their reconstructions: the best, from a squared error of "
        f"{short(low)}, and the worst, up to {short(high)}."
    )

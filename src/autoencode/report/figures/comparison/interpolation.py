"""From one test example to another, through the codes of each model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from autoencode.contract import Space
from autoencode.report.charts.fit import folded
from autoencode.report.figures import paths
from autoencode.report.figures.rows import Row, draw_rows
from autoencode.report.style import SMALL, Picture, styled
from autoencode.report.tables import Table, joined_code_columns, left_out
from autoencode.report.view import View

TITLE = "From one example to another"
PAIRS, STEPS = 3, 8
# Inches of a model's name.
NAME = 1.0


@styled()
def draw(views: Mapping[str, View]) -> Picture:
    """A block for each pair of examples: a row for each model, the originals at its ends."""
    rows: list[Row] = []
    for _, (first, second) in _pairs(views):
        for name, view in going(views).items():
            label = folded(name, NAME, SMALL + 1)
            row = paths.strip(view, first, second, STEPS, label, with_heads=not rows)
            rows.append(replace(row, after=0.035))
        rows[-1] = replace(rows[-1], after=0.25)
    return draw_rows(rows)


def going(views: Mapping[str, View]) -> dict[str, View]:
    """The models that have codes between two codes: beside entries of a code book are none."""
    return {name: v for name, v in views.items() if v.model.space is not Space.CODES}


def _pairs(views: Mapping[str, View]) -> list[tuple[str, tuple[int, int]]]:
    return paths.pairs(next(iter(views.values())))[:PAIRS]


def table(views: Mapping[str, View]) -> Table:
    """A row for each code on a way."""
    ends = [two for _, two in _pairs(views)]
    names, positions, codes = [], [], []
    for name, view in going(views).items():
        for first, second in ends:
            names += [name] * STEPS
            positions += [view.places[[first, second]].tolist()] * STEPS
            codes.append(paths.way(view, first, second, STEPS))
    left, right = zip(*positions, strict=True)
    return Table(
        {
            "model": names,
            "left end, position in the test set": left,
            "right end, position in the test set": right,
            "step": np.tile(np.arange(1, STEPS + 1), len(codes)),
            **joined_code_columns(codes),
        },
        note=left_out(max(each.shape[1] for each in codes)),
    )


def about(views: Mapping[str, View]) -> str:
    """What the figure is."""
    without = [name for name in views if name not in going(views)]
    rest = f" {', '.join(without)} has no codes between two others." if without else ""
    return (
        "At both ends of a row stand two test examples, the same for every model. Between them are "
        "decoded codes at equal steps from the code of the one to that of the other. See which "
        f"model stays among images that could be examples, and which leads through ghosts.{rest}"
    )


def see(views: Mapping[str, View]) -> str:
    """What to see in it: that differs with every model."""
    return ""


def alt(views: Mapping[str, View]) -> str:
    """The figure in words."""
    labels = [label for label, _ in _pairs(views) if label]
    told = f" ({', '.join(labels)})" if labels else ""
    return (
        f"Strips of images between two test examples{told}, for each of {', '.join(going(views))}."
    )

"""The figures of several models in words, and as one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from autoencode.evaluation.compare.comparison import (
    UNKNOWN_NOISE,
    WITHIN_NOISE,
    ComparedMetric,
    ComparedModel,
    Comparison,
)
from autoencode.evaluation.kinds import Kind, group_of
from autoencode.evaluation.metrics.significance import EXAMPLES, Estimate
from autoencode.report.formatting import count
from autoencode.report.tables import Table

NONE = "–"
# Digits of a figure whose noise is not known.
DIGITS = 4
DIRECTIONS = {"lower": "↓ lower is better", "higher": "↑ higher is better"}


@dataclass(frozen=True)
class Cell:
    """A figure of one model.

    note: below it.   best: better than that of every other model beyond the noise.
    has: the model has such a figure.
    """

    model: str
    words: str
    note: str = ""
    best: bool = False
    has: bool = True


@dataclass(frozen=True)
class Line:
    """One figure of all models.

    direction: which is better, empty where none is.   note: its unit, and why nothing is marked.
    """

    title: str
    direction: str
    note: str
    cells: list[Cell]


@dataclass(frozen=True)
class Group:
    """Figures of one kind."""

    title: str
    lines: list[Line]


def groups(found: Comparison) -> list[Group]:
    """All figures, and what they cost."""
    several = len({len(model.trials) > 1 for model in found.models}) > 1
    known = [
        Group(title, [_line(figure, found.models, several) for figure in figures])
        for title, figures in groupby(found.figures, key=lambda figure: group_of(figure.name))
    ]
    return [*known, _training(found.models)]


def title_of(figure: ComparedMetric) -> str:
    """What a figure is called, with the likelihood that its nats are of."""
    return f"{figure.kind.title}, {figure.likelihood}" if figure.likelihood else figure.kind.title


def estimate_words(found: Estimate, kind: Kind) -> str:
    """A mean with half of its interval, both to the second digit of the latter.

    >>> estimate_words(Estimate((41.9372,), (41.2, 42.6), "seeds"), Kind(""))
    '41.94 ± 0.70'
    >>> estimate_words(Estimate((0.46123,), (0.45, 0.47), "seeds"), Kind("", share=True))
    '46.1 ± 1.0 %'
    >>> estimate_words(Estimate((-7654.321,), None, None), Kind(""))
    '−7,654'
    >>> estimate_words(Estimate((16285.0,), (4_609.0, 27_961.0), "seeds"), Kind(""))
    '16,000 ± 12,000'
    """
    scale, unit = (100, " %") if kind.share else (1, "")
    mean, half = scale * found.mean, scale * (found.half or 0.0)
    if half > 0:
        half = float(f"{half:.2g}")
        digits = min(8, 1 - math.floor(math.log10(half)))
        mean, decimals = round(mean, digits), max(0, digits)
        words = f"{mean:,.{decimals}f} ± {half:,.{decimals}f}"
    elif mean == int(mean):
        words = f"{mean:,.0f}"
    else:
        words = f"{mean:,.{max(0, DIGITS - 1 - math.floor(math.log10(abs(mean))))}f}"
    return words.replace("-", "−") + unit


def cost_words(model: ComparedModel) -> str:
    """How long training took."""
    return f"{estimate_words(model.costs('seconds'), Kind(''))} s"


def _line(figure: ComparedMetric, models: Sequence[ComparedModel], several: bool) -> Line:
    cells = []
    for model in models:
        if model not in figure.models:
            cells.append(Cell(model.name, NONE, has=False))
            continue
        found = model.figures[figure.name]
        over = f"over {found.over}" if several and found.over == EXAMPLES else ""
        words = estimate_words(found, figure.kind)
        cells.append(Cell(model.name, words, over, figure.best == model.name))
    better = figure.kind.better
    # "Squared error" stands above it already.
    unit = "" if figure.unit == "fraction" else figure.unit.removeprefix("squared error ")
    why = figure.why if figure.why in (WITHIN_NOISE, UNKNOWN_NOISE) else ""
    note = "; ".join(part for part in (unit, why) if part)
    return Line(title_of(figure), DIRECTIONS[better] if better else "", note, cells)


def _training(models: Sequence[ComparedModel]) -> Group:
    def line(title: str, note: str, words: Sequence[str]) -> Line:
        cells = [Cell(model.name, text) for model, text in zip(models, words, strict=True)]
        return Line(title, "", note, cells)

    plain = Kind("")
    where = {
        f"{trial.run.summary['device']}, {trial.run.summary.get('precision', '')}".rstrip(", ")
        for model in models
        for trial in model.trials
    }
    on = "; ".join(sorted(where))
    speeds = [model.costs("images_per_second") for model in models]
    return Group(
        "Training",
        [
            line("Seeds", "trainings of each model", [count(len(m.trials)) for m in models]),
            line(
                "Parameters",
                "numbers that training set",
                [count(model.trials[0].parameters) for model in models],
            ),
            line("Numbers in a code", "", [count(model.recipe.latent) for model in models]),
            line("Updates", "of the weights, in each training", [_steps(m) for m in models]),
            line("Training time", f"seconds, {on}", [cost_words(model) for model in models]),
            line(
                "Examples a second",
                f"in training, {on}",
                [estimate_words(speed, plain) for speed in speeds],
            ),
        ],
    )


def _steps(model: ComparedModel) -> str:
    steps = sorted({int(trial.run.summary["steps"]) for trial in model.trials})
    return count(steps[0]) if len(steps) == 1 else f"{count(steps[0])} to {count(steps[-1])}"


def table(found: Comparison) -> Table:
    """A row for each figure of each model."""
    rows = [
        (figure, model, model.figures[figure.name])
        for figure in found.figures
        for model in figure.models
    ]
    ends = [each.interval or (None, None) for *_, each in rows]
    return Table(
        {
            "figure": [figure.name for figure, *_ in rows],
            "likelihood": [figure.likelihood for figure, *_ in rows],
            "unit": [figure.unit for figure, *_ in rows],
            "better": [figure.kind.better or "" for figure, *_ in rows],
            "model": [model.name for _, model, _ in rows],
            "seeds": [len(each.values) for *_, each in rows],
            "mean": [each.mean for *_, each in rows],
            "lower end of 95 % interval": [low for low, _ in ends],
            "upper end of 95 % interval": [high for _, high in ends],
            "interval over": [each.over or "" for *_, each in rows],
            "best": ["yes" if figure.best == model.name else "" for figure, model, _ in rows],
        },
        digits=6,
    )

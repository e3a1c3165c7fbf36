"""The metrics of several models in words, and as one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from autoencode.evaluation.compare.comparison import (
    UNKNOWN_NOISE,
    WITHIN_NOISE,
    ComparedMetric,
    ComparedModel,
    Comparison,
)
from autoencode.evaluation.headlines import PCA_ADVICE, against_pca, number
from autoencode.evaluation.metric_info import MetricInfo, metric_group
from autoencode.evaluation.metrics.significance import EXAMPLES, Difference, Estimate
from autoencode.report.formatting import count
from autoencode.report.tables import Table

# Significant digits of a value whose noise is not known.
DIGITS = 4
DIRECTIONS = {"lower": "↓ lower is better", "higher": "↑ higher is better"}


@dataclass(frozen=True)
class Cell:
    """A metric of one model.   note: below it.   best: significantly better than all others."""

    words: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """One metric of all models.

    direction: which is better, or empty.
    note: its unit, how differences were tested, and why no model is marked best.
    cells: one for each model; None for a model without this metric.
    """

    title: str
    direction: str
    note: str
    cells: list[Cell | None]


def groups(found: Comparison) -> list[tuple[str, list[Line]]]:
    """All metrics, and the costs of training, under the title of each group."""
    several = len({len(model.trials) > 1 for model in found.models}) > 1
    known = [
        (title, [_line(figure, found.models, several) for figure in figures])
        for title, figures in groupby(found.figures, key=lambda figure: metric_group(figure.name))
    ]
    return [*known, ("Training", _training(found.models))]


def pca_sentences(found: Comparison) -> list[str]:
    """How each model compares with PCA of as many dimensions, and what may help a worse one."""
    sentences, is_worse = [], False
    for model in found.models:
        above, of_pca = (model.figures.get(f"squared_error_{name}_pca") for name in ("above", "of"))
        if above is None or above.interval is None or not of_pca or not of_pca.mean:
            continue
        d = model.trials[0].metrics["pca_dimensions"]
        words = against_pca(above.mean, above.interval)
        sentences.append(
            f"{model.name} is {words}, over {above.over}: the MSE of PCA with {count(d)} "
            f"dimension{'' if d == 1 else 's'} is {number(of_pca.mean)}."
        )
        is_worse |= above.interval[0] > 0
    return [*sentences, PCA_ADVICE] if is_worse else sentences


def title_of(figure: ComparedMetric) -> str:
    """The title of a metric, with the likelihood of its nats."""
    return f"{figure.info.title}, {figure.likelihood}" if figure.likelihood else figure.info.title


def estimate_words(found: Estimate | Difference, info: MetricInfo) -> str:
    """A mean with half of its 95 % interval, both to the second digit of the latter.

    >>> estimate_words(Estimate((41.9372,), (41.2, 42.6), "seeds"), MetricInfo(""))
    '41.94 ± 0.70'
    >>> estimate_words(Estimate((0.46123,), (0.45, 0.47), "seeds"), MetricInfo("", share=True))
    '46.1 ± 1.0 %'
    >>> estimate_words(Estimate((-7654.321,), None, None), MetricInfo(""))
    '−7,654'
    >>> estimate_words(Estimate((16285.0,), (4_609.0, 27_961.0), "seeds"), MetricInfo(""))
    '16,000 ± 12,000'
    """
    scale, unit = (100, " %") if info.share else (1, "")
    low, high = found.interval or (0.0, 0.0)
    mean, half = scale * found.mean, scale * (high - low) / 2
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


def difference_words(figure: ComparedMetric, model: str) -> str:
    """The difference of a model from the one with the best mean: "+0.38 ± 0.12 from ae"."""
    if model not in figure.differences:
        return ""
    found = figure.differences[model]
    sign = "+" if found.mean > 0 else ""
    return f"{sign}{estimate_words(found, figure.info)} from {figure.reference}"


def cost_words(model: ComparedModel) -> str:
    """The time of training."""
    return f"{estimate_words(model.costs('seconds'), MetricInfo(''))} s"


def _line(figure: ComparedMetric, models: Sequence[ComparedModel], several: bool) -> Line:
    cells: list[Cell | None] = []
    for model in models:
        if model not in figure.models:
            cells.append(None)
            continue
        found = model.figures[figure.name]
        over = f"over {found.over}" if several and found.over == EXAMPLES else ""
        words = estimate_words(found, figure.info)
        note = "; ".join(part for part in (over, difference_words(figure, model.name)) if part)
        cells.append(Cell(words, note, figure.best == model.name))
    better = figure.info.better
    # The title says "MSE" already.
    unit = "" if figure.unit == "fraction" else figure.unit.removeprefix("squared error ")
    why = figure.why if figure.why in (WITHIN_NOISE, UNKNOWN_NOISE) else ""
    tests = dict.fromkeys(each.test for each in figure.differences.values())
    note = "; ".join(part for part in (unit, *tests, why) if part)
    return Line(title_of(figure), DIRECTIONS[better] if better else "", note, cells)


def _training(models: Sequence[ComparedModel]) -> list[Line]:
    where = {
        f"{trial.run.summary['device']}, {trial.run.summary.get('precision', '')}".rstrip(", ")
        for model in models
        for trial in model.trials
    }
    on = "; ".join(sorted(where))
    words: dict[tuple[str, str], Callable[[ComparedModel], str]] = {
        ("Seeds", "trainings of each model"): lambda model: count(len(model.trials)),
        ("Parameters", "trainable"): lambda model: count(model.trials[0].parameters),
        ("Latent dimensions", ""): lambda model: count(model.recipe.latent),
        ("Updates", "of the weights, in each training"): _steps,
        ("Training time", f"seconds, {on}"): cost_words,
        ("Examples a second", f"in training, {on}"): lambda model: estimate_words(
            model.costs("images_per_second"), MetricInfo("")
        ),
    }
    return [
        Line(title, "", note, [Cell(of(model)) for model in models])
        for (title, note), of in words.items()
    ]


def _steps(model: ComparedModel) -> str:
    steps = sorted({int(trial.run.summary["steps"]) for trial in model.trials})
    return count(steps[0]) if len(steps) == 1 else f"{count(steps[0])} to {count(steps[-1])}"


def table(found: Comparison) -> Table:
    """A row for each metric of each model."""
    rows = [
        (figure, model, model.figures[figure.name])
        for figure in found.figures
        for model in figure.models
    ]
    ends = [each.interval or (None, None) for *_, each in rows]
    differences = [figure.differences.get(model.name) for figure, model, _ in rows]
    gaps = [(each and each.interval) or (None, None) for each in differences]
    return Table(
        {
            "figure": [figure.name for figure, *_ in rows],
            "likelihood": [figure.likelihood for figure, *_ in rows],
            "unit": [figure.unit for figure, *_ in rows],
            "better": [figure.info.better or "" for figure, *_ in rows],
            "model": [model.name for _, model, _ in rows],
            "seeds": [len(each.values) for *_, each in rows],
            "mean": [each.mean for *_, each in rows],
            "lower end of 95 % interval": [low for low, _ in ends],
            "upper end of 95 % interval": [high for _, high in ends],
            "interval over": [each.over or "" for *_, each in rows],
            "compared with": [
                figure.reference if each else ""
                for (figure, *_), each in zip(rows, differences, strict=True)
            ],
            "difference": [each and each.mean for each in differences],
            "lower end of its 95 % interval": [low for low, _ in gaps],
            "upper end of its 95 % interval": [high for _, high in gaps],
            "test": [each.test if each else "" for each in differences],
            "best": ["yes" if figure.best == model.name else "" for figure, model, _ in rows],
        },
        digits=6,
    )

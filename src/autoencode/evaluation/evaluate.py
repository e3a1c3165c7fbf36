"""A trained model, measured on the test part of its data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autoencode.data import Data
from autoencode.errors import DataError, RecipeError, did_you_mean
from autoencode.evaluation.cache import MetricsCache
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.measures import MEASURES, OPTIONS, QUICK
from autoencode.evaluation.records import Evaluation, Record
from autoencode.models.build import Model


def evaluate(
    model: Model,
    data: Data,
    measures: Iterable[str] = QUICK,
    cache: MetricsCache | None = None,
    **options: Any,
) -> Evaluation:
    """Measures a model on `data.test`, in float32 and on the model's device.

    The same model and data give the same metrics; weights, training mode and torch's random state
    are left as they were.

    measures: names in `MEASURES`; those in `QUICK` take seconds.
    cache: the cache of the run of this model. A measure that is in the cache is not taken again,
        and each new one is written at once, so that an interrupted evaluation can go on. The
        answer also holds the other measures in the cache.
    options: batch_size, samples, images, see `EvaluationContext`.

    Raises:
        DataError: there are no test examples, or their shape is not the model's.
        RecipeError: there is no such measure.
        Diverged: a metric is not finite.
    """
    if len(data.test) == 0:
        raise DataError(
            f'"{data.name}" has no test examples to measure on', "Keep a part of it for testing."
        )
    names = list(measures)
    for name in names:
        if name not in MEASURES:
            raise RecipeError(f'There is no measure "{name}"', did_you_mean(name, MEASURES))
    ctx = EvaluationContext(model, data, **options)
    found: dict[str, tuple[Record, ...]] = {} if cache is None else dict(cache.others(names))
    for name in names:
        found[name] = _measured(name, ctx, cache)
    ordered = [record for name in MEASURES for record in found.get(name, ())]
    return Evaluation(tuple(ordered), len(data.test), data.name)


def _measured(name: str, ctx: EvaluationContext, cache: MetricsCache | None) -> tuple[Record, ...]:
    options = {option: getattr(ctx, option) for option in OPTIONS.get(name, ())}
    if cache is not None and (cached := cache.take(name, options)) is not None:
        return cached
    records = tuple(MEASURES[name](ctx))
    if cache is not None:
        cache.put(name, options, records)
    return records

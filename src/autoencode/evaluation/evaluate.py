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

    The same model and data give the same figures; weights, training mode and torch's random state
    are left as they were.

    measures: of `MEASURES`; those of `QUICK` take seconds.
    shelf: where the run of this model keeps its figures. A measure that is kept there is not taken
        again, and each is kept as soon as it is taken: an evaluation that was killed goes on where
        it was. The answer holds all that is kept there.
    options: batch_size, samples, images, see `EvaluationContext`.

    Raises:
        DataError: there are no test examples, or they are of another shape than the model's.
        RecipeError: there is no such measure.
        Diverged: a figure is not finite.
    """
    if len(data.test) == 0:
        raise DataError(
            f'"{data.name}" has no test examples to measure on', "Keep a part of it for testing."
        )
    asked = list(measures)
    for name in asked:
        if name not in MEASURES:
            raise RecipeError(f'There is no measure "{name}"', did_you_mean(name, MEASURES))
    subject = EvaluationContext(model, data, **options)
    found: dict[str, tuple[Record, ...]] = {} if cache is None else dict(cache.others(asked))
    for name in asked:
        found[name] = _taken(name, subject, cache)
    ordered = [record for name in MEASURES for record in found.get(name, ())]
    return Evaluation(tuple(ordered), len(data.test))


def _taken(name: str, subject: EvaluationContext, cache: MetricsCache | None) -> tuple[Record, ...]:
    options = {option: getattr(subject, option) for option in OPTIONS.get(name, ())}
    kept = None if cache is None else cache.take(name, options)
    if kept is not None:
        return kept
    records = tuple(MEASURES[name](subject))
    if cache is not None:
        cache.put(name, options, records)
    return records

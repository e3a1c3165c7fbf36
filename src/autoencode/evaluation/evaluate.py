"""A trained model, measured on the test part of its data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from autoencode.data import Data
from autoencode.errors import DataError, RecipeError, RunError, did_you_mean
from autoencode.evaluation.cache import MetricsCache
from autoencode.evaluation.context import EvaluationContext
from autoencode.evaluation.measures import (
    MEASURES,
    NEED_TRAIN,
    NEED_TRAIN_LABELS,
    OPTIONS,
    QUICK,
    objective,
)
from autoencode.evaluation.metrics.intervals import bootstrap
from autoencode.evaluation.records import Evaluation, Record
from autoencode.evaluation.saved import check_records
from autoencode.models.build import Model
from autoencode.models.foreign import as_autoencoder, has_interface, module_data
from autoencode.models.new_data import new_data

WITHOUT_TRAIN = "needs the training part"
WITHOUT_CRITICS = "needs the critics of the training, which this run does not have"


def evaluate(
    model: Model | Any,
    data: Data | Any,
    measures: Iterable[str] = QUICK,
    cache: MetricsCache | None = None,
    **options: Any,
) -> Evaluation:
    """Measures a model on `data.test`, in float32 and on the model's device.

    The same model and data give the same metrics; weights, training mode and torch's random state
    are left as they were.

    model: also any `nn.Module` with an encoder and a decoder, see `models.foreign`.
    data: what `load_data` returned, or new data, anything that it takes: all examples of these are
        measured, preprocessed as in training.
    measures: names in `MEASURES`; those in `QUICK` take seconds.
    cache: the cache of the run of this model. A measure that is in the cache is not taken again,
        and each new one is written at once, so that an interrupted evaluation can go on. The
        answer also holds the other measures in the cache.
    options: batch_size, samples, images, precision, see `EvaluationContext`.

    Raises:
        DataError: there are no test examples, or their shape is not the model's.
        RecipeError: there is no such measure.
        Diverged: a metric is not finite.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> model = ae.fit("ae", data, latent=2, steps=10).model
    >>> metrics = ae.evaluate(model, data, ["reconstruction"])
    >>> list(metrics)[:3], metrics["squared_error"] < 64
    (['squared_error', 'squared_error_stderr', 'squared_error_per_pixel'], True)
    """
    if not has_interface(model):
        data = module_data(data)
    elif not isinstance(data, Data):
        data = new_data(model, data)
    model = as_autoencoder(model, data)
    if len(data.test) == 0:
        raise DataError(
            f'"{data.name}" has no test examples to measure on', "Keep a part of it for testing."
        )
    names = list(measures)
    for name in names:
        if name not in MEASURES:
            raise RecipeError(f'There is no measure "{name}"', did_you_mean(name, MEASURES))
    ctx = EvaluationContext(model, data, **options)
    left_out = {} if ctx.has_train else dict.fromkeys(_left_out(names, ctx), WITHOUT_TRAIN)
    left_out |= {name: why for name, why in model.unmeasured.items() if name in names}
    if "objective" in names:
        left_out |= dict.fromkeys(objective.needing_critics(model), WITHOUT_CRITICS)
    names = [name for name in names if name not in left_out]
    cached = {} if cache is None else _cached(names, ctx, cache)
    if not _fit(chain(*cached.values()), ctx):
        cached = {}  # each fits, and together they do not
    measured = {name: _measured(name, ctx, cache) for name in names if name not in cached}
    found = {**cached, **measured}
    ordered = [record for name in MEASURES for record in found.get(name, ())]
    ordered += _against_pca(ordered, has_context=ctx.context is not None)
    return Evaluation(tuple(ordered), len(data.test), data.name, left_out)


def _left_out(names: Iterable[str], ctx: EvaluationContext) -> Iterator[str]:
    """What cannot be measured without a training part: measures, or some metrics of them."""
    for name in names:
        if name in NEED_TRAIN:
            yield from NEED_TRAIN[name] or (name,)
        if name == "reconstruction" and ctx.test.x.dim() == 2:
            yield "r2"
        if ctx.test.y is not None:
            yield from NEED_TRAIN_LABELS.get(name, ())


def _against_pca(records: Sequence[Record], has_context: bool) -> list[Record]:
    """The squared error minus that of PCA, on pairs of the same test examples."""
    found = {record.name: record for record in records}
    ours, pca = found.get("squared_error"), found.get("squared_error_of_pca")
    if ours is None or pca is None or ours.per_example is None or pca.per_example is None:
        return []
    each = ours.per_example.double() - pca.per_example.double()
    if not bool(each.isfinite().all()):  # cached, and not of the same examples
        return []
    note = "squared_error minus squared_error_of_pca, on pairs of the same test examples"
    note += "; only the model receives the context of each example." if has_context else "."
    mean, name = each.mean().item(), "squared_error_above_pca"
    # One example has no interval, and so no verdict.
    interval = bootstrap(each) if len(each) > 1 else None
    return [Record(name, mean, ours.unit, ours.n, note, interval, each.float())]


def _cached(
    names: Sequence[str], ctx: EvaluationContext, cache: MetricsCache
) -> dict[str, tuple[Record, ...]]:
    """The cached records of these measures with these options, and of others with any options."""
    found = dict(cache.others(names))
    for name in names:
        if (records := cache.take(name, _options(name, ctx))) is not None:
            found[name] = records
    return {name: records for name, records in found.items() if _fit(records, ctx)}


def _fit(records: Iterable[Record], ctx: EvaluationContext) -> bool:
    """Whether cached records are those of this model and its test part."""
    try:
        check_records([*records], len(ctx.test), ctx.latent, len(ctx.data.classes))
    except RunError:
        return False
    return True


def _measured(name: str, ctx: EvaluationContext, cache: MetricsCache | None) -> tuple[Record, ...]:
    records = tuple(MEASURES[name](ctx))
    if cache is not None:
        cache.put(name, _options(name, ctx), records)
    return records


def _options(name: str, ctx: EvaluationContext) -> dict[str, Any]:
    return {option: getattr(ctx, option) for option in OPTIONS.get(name, ())}

"""The trainings of a study: those that are not there yet, side by side, every one measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import RunError
from autoencode.evaluation import MetricsCache, evaluate
from autoencode.io.store import write_json, writing
from autoencode.studies.study import Result, StudyRun
from autoencode.train import FitResult, Job, Outcome, Settings, fit_many


def carry_out(
    trainings: Sequence[StudyRun],
    folder: Path,
    data: Data,
    workers: int | None,
    tell: Callable[[Result], None],
) -> list[Result]:
    """Trains and measures all, side by side as `fit_many` does; those that are done are taken.

    All that a study compares are trained alike, one thread each beside as many others, so that
    their seconds can be compared too.

    tell: is called with each result as it comes.

    Raises:
        RunError: the data are arrays in memory, which a study loads again.
        AutoencodeError: that of the first training that failed, after the others.
    """
    if not data.source:
        raise RunError(
            "A study loads its data again, for some trainings with other options, and these are "
            "arrays in memory",
            "Save them first, numpy.savez_compressed, and give the path.",
        )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    variants = _variants(trainings, data)
    jobs = [
        Job(
            each.recipe,
            variants[_key(each)],
            folder / each.folder,
            {**_rests(each), **each.settings, "seed": each.seed},
            overwrite=True,
        )
        for each in trainings
    ]
    wanted = {job.out: training for job, training in zip(jobs, trainings, strict=True)}
    results: dict[Path, Result] = {}

    def ended(outcome: Outcome) -> None:
        if outcome.error is None and outcome.run is not None:
            training = wanted[outcome.job.out]
            result = results[outcome.job.out] = Result(training, outcome.run, outcome.result)
            tell(result)

    measures = {job.out: training.measures for job, training in zip(jobs, trainings, strict=True)}
    outcomes = fit_many(
        jobs, workers=workers, on_trained=partial(_measured, measures), on_finished=ended
    )
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [results[job.out] for job in jobs]


def _key(training: StudyRun) -> str:
    return repr(sorted(training.options.items()))


def _variants(trainings: Sequence[StudyRun], data: Data) -> dict[str, Data]:
    """The data of a study, by the options that its trainings have over them."""
    return {
        _key(each): load_data(data.source, **{**data.options, **each.options})
        if each.options
        else data
        for each in {_key(each): each for each in trainings}.values()
    }


def _measured(measures: dict[Path, tuple[str, ...]], fitted: FitResult) -> dict[str, Any]:
    """What a study wants to know of a run, which keeps it."""
    run = fitted.run
    assert run is not None
    found = evaluate(fitted.model, fitted.data, measures[run.folder], MetricsCache(run)).to_dict()
    metrics = {**found, "data": fitted.data.name}
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _rests(training: StudyRun) -> dict[str, int]:
    """Trainings of a study are short: a few validations and checkpoints will do."""
    steps = Settings.of(training.recipe, training.settings).steps
    return {"validate_every": max(1, steps // 5), "checkpoint_every": max(1, steps // 3)}

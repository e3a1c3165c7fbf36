"""The trainings of a study: run in parallel where they are missing, and measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autoencode.data import Data, load_data
from autoencode.errors import RunError
from autoencode.evaluation import MetricsCache, evaluate
from autoencode.io.store import write_json, writing
from autoencode.studies.results import Result, StudyRun
from autoencode.train import FitResult, Job, Outcome, Settings, fit_many


def train_all(
    trainings: Sequence[StudyRun],
    folder: Path,
    data: Data,
    workers: int | None,
    on_result: Callable[[Result], None],
) -> list[Result]:
    """Trains and measures all models in parallel, as `fit_many` does; finished runs are reused.

    All trainings have one thread each and as many others next to them, so that their times can be
    compared.

    on_result: is called with each result when its training ends.

    Raises:
        RunError: the data are arrays in memory, which a study cannot load again.
        AutoencodeError: the error of the first training that failed, after the others have ended.
    """
    if not data.source:
        raise RunError(
            "A study loads its data again, for some trainings with other options, and these are "
            "arrays in memory",
            "Save them with numpy.savez_compressed and give the path.",
        )
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    by_folder = {folder / each.folder: each for each in trainings}
    jobs = [
        Job(
            each.recipe,
            load_data(data.source, **{**data.options, **each.options}) if each.options else data,
            out,
            {**_intervals(each), **each.settings, "seed": each.seed},
            overwrite=True,
        )
        for out, each in by_folder.items()
    ]
    results: dict[Path, Result] = {}

    def on_outcome(outcome: Outcome) -> None:
        if outcome.error is None and outcome.run is not None:
            out = outcome.job.out
            results[out] = Result(by_folder[out], outcome.run, outcome.result)
            on_result(results[out])

    measures = {out: training.measures for out, training in by_folder.items()}
    outcomes = fit_many(
        jobs, workers=workers, on_trained=partial(_measure, measures), on_finished=on_outcome
    )
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [results[job.out] for job in jobs]


def _measure(measures: dict[Path, tuple[str, ...]], fitted: FitResult) -> dict[str, Any]:
    """Measures a run and stores the metrics in its folder."""
    run = fitted.run
    assert run is not None
    found = evaluate(fitted.model, fitted.data, measures[run.folder], MetricsCache(run))
    metrics = found.to_dict()
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _intervals(training: StudyRun) -> dict[str, int]:
    """Few validations and checkpoints, as trainings of a study are short."""
    steps = Settings.of(training.recipe, training.settings).steps
    return {"validate_every": max(1, steps // 5), "checkpoint_every": max(1, steps // 3)}

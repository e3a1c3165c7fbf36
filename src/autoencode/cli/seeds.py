"""`autoencode train --seeds N`: train one model with several seeds, one run for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from shlex import join
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import typer

from autoencode.cli.output import aligned, print_message, print_result
from autoencode.errors import AutoencodeError, Interrupted, RunError

if TYPE_CHECKING:
    from autoencode.data import Data
    from autoencode.models.recipe import Recipe
    from autoencode.scale import Outcome
    from autoencode.train import FitResult

# Columns of the table: the first, then one for each term of the objective, then the others.
COLUMNS = (
    "squared_error",
    "squared_error_of_pca",
    "psnr",
    "ssim",
    "classification_error",
    "knn_accuracy",
)
MAX_SEED = 2**63 - 1


def train_seeds(
    recipe: Recipe,
    data: Data,
    folder: Path,
    count: int,
    settings: Mapping[str, Any],
    *,
    workers: int | None,
    cluster: str | None,
    overwrite: bool,
    report: bool,
    json: bool,
) -> None:
    """Trains a recipe with `count` seeds, measures each run, and prints a table of the metrics.

    Raises:
        typer.Exit: a training failed, with its exit code; the others are done.
        AutoencodeError: an error before training; Ctrl-C, after saving.
    """
    from autoencode.scale import Job, fit_many
    from autoencode.train import Settings

    first = Settings.of(recipe, settings).seed
    if first + count - 1 > MAX_SEED:
        raise AutoencodeError(
            f"{count} seeds from {first} are more than there are", "Lower --seed."
        )
    folders = [folder / f"seed-{seed}" for seed in range(first, first + count)]
    _prepare_folders(folder, folders, overwrite)
    jobs = [
        Job(recipe, data, each, {**settings, "seed": seed})
        for seed, each in enumerate(folders, first)
    ]
    try:
        outcomes = fit_many(
            jobs, workers=workers, cluster=cluster, on_trained=partial(finish, report)
        )
    except Interrupted as stopped:
        raise Interrupted(
            stopped.what,
            f"Continue: the same command with --out {folder}",
            signal=stopped.exit_code - 128,
        ) from stopped
    done = [outcome for outcome in outcomes if outcome.error is None]
    command = f"autoencode compare {join([str(folder)])}/*"
    lines = [*_table(done), f"runs     {folder}"]
    lines += [f"compare  {command}"] if len(done) > 1 else []
    print_result(_record(folder, outcomes, command), lines, json)
    errors = [(outcome, outcome.error) for outcome in outcomes if outcome.error is not None]
    for outcome, error in errors:
        print_message("error", f"{outcome.job.out}: {error}")
    if errors:
        raise typer.Exit(errors[0][1].exit_code)


def finish(report: bool, fitted: FitResult) -> dict[str, Any]:
    """Measures a run and writes the files that a single training writes; reuses existing ones."""
    from autoencode.evaluation.of_runs import measure_run, save_metrics
    from autoencode.evaluation.saved import read_metrics
    from autoencode.report import write_card, write_report

    run = fitted.run
    assert run is not None
    try:
        saved = read_metrics(run, len(fitted.data.test))
    except RunError:  # it is measured again
        saved = None
    if saved is not None and (not report or (run.folder / "report.html").exists()):
        return saved
    metrics = measure_run(run, fitted.data, fitted.model).to_dict()
    save_metrics(run, fitted.data, metrics)
    if report:
        write_card(run)
        write_report(run, data=fitted.data)
    return metrics


def _prepare_folders(folder: Path, folders: Sequence[Path], overwrite: bool) -> None:
    """Removes the runs that will be replaced.

    Raises:
        RunError: the folder is a file or a run, or one of `folders` holds files of another kind.
    """
    from autoencode.io.folders import check_replaceable
    from autoencode.train.run_folder import discard_unstarted, make_folder

    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and runs need a folder", "Choose another --out.")
    if (folder / "run.json").exists():
        raise RunError(f"{folder} is a run, and each seed needs one", "Choose another --out.")
    existing = [each for each in folders if overwrite and each.exists()]
    for each in existing:
        if each.is_dir() and any(each.iterdir()):
            check_replaceable(each)
    for each in existing:
        make_folder(each, overwrite)
        discard_unstarted(each)


def _columns(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of a run that the table shows, in their order."""
    found = {name: metrics[name] for name in COLUMNS[:1] if name in metrics}
    found |= {f"terms.{name}": value for name, value in metrics["terms"].items()}
    return found | {name: metrics[name] for name in COLUMNS[1:] if metrics.get(name) is not None}


def _statistics(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Mean and standard deviation over the seeds of each metric that all runs have."""
    rows = [_columns(outcome.result) for outcome in outcomes]
    names = [name for name in (rows[0] if rows else ()) if all(name in row for row in rows)]
    return {
        name: {
            "mean": mean(row[name] for row in rows),
            "standard_deviation": stdev(row[name] for row in rows) if len(rows) > 1 else None,
        }
        for name in names
    }


def _record(folder: Path, outcomes: Sequence[Outcome], command: str) -> dict[str, Any]:
    """What --json prints."""
    runs, failed = [], []
    for each in outcomes:
        record = {"run": str(each.job.out), "seed": each.job.settings["seed"]}
        if each.error is None:
            runs.append({**record, **(each.run.summary if each.run else {}), **each.result})
        else:
            failed.append({**record, "error": str(each.error), "exit_code": each.error.exit_code})
    return {
        "folder": str(folder),
        "runs": runs,
        "figures": _statistics([each for each in outcomes if each.error is None]),
        "failed": failed,
        "compare": command,
    }


def _table(done: Sequence[Outcome]) -> Iterator[str]:
    """A line for each run, then mean and standard deviation."""
    from autoencode.cli.measure import value_words
    from autoencode.evaluation.metric_info import metric_info

    if not done:
        return
    statistics = _statistics(done)
    run = done[0].run
    assert run is not None
    yield f"{run.recipe.name} on {run.data['name']}, {done[0].result['n_test']:,} test examples"
    rows = [["seed", *(metric_info(name).title for name in statistics), "seconds"]]
    for each in done:
        assert each.run is not None
        metrics = _columns(each.result)
        seconds = f"{each.run.summary['seconds']:.0f}"
        seed = str(each.job.settings["seed"])
        rows.append([seed, *(value_words(name, metrics[name], {}) for name in statistics), seconds])
    if len(done) > 1:
        for row in ("mean", "standard_deviation"):
            cells = [value_words(name, each[row], {}) for name, each in statistics.items()]
            rows.append([row.replace("_", " "), *cells, ""])
    yield from aligned(rows)

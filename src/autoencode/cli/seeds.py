"""`autoencode train --seeds N`: one model from several seeds, a run each, beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from shlex import join
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

import typer

from autoencode.cli.output import complain, say, say_json
from autoencode.errors import AutoencodeError, Interrupted, RunError

if TYPE_CHECKING:
    from autoencode.data import Data
    from autoencode.models.recipe import Recipe
    from autoencode.train import FitResult, Outcome

# Figures that a line has room for, those that are measured first, and one of each term beside them.
MAIN = ("squared_error", "psnr", "ssim", "classification_error", "knn_accuracy")
LARGEST = 2**63 - 1


def train_seeds(
    recipe: Recipe,
    data: Data,
    folder: Path,
    count: int,
    settings: Mapping[str, Any],
    *,
    overwrite: bool,
    report: bool,
    json: bool,
) -> None:
    """Trains a recipe from `count` seeds, measures each run, and says what the seeds make of it.

    Raises:
        typer.Exit: a training failed, with its exit code; the others are done.
        AutoencodeError: what is refused before anything is trained; Ctrl-C, after saving.
    """
    from autoencode.train import Job, Settings, fit_many

    first = Settings.of(recipe, settings).seed
    if first + count - 1 > LARGEST:
        raise AutoencodeError(
            f"{count} seeds from {first} are more than there are", "Lower --seed."
        )
    folders = [folder / f"seed-{seed}" for seed in range(first, first + count)]
    _free(folder, folders, overwrite)
    jobs = [
        Job(recipe, data, each, {**settings, "seed": seed})
        for seed, each in enumerate(folders, first)
    ]
    try:
        outcomes = fit_many(jobs, on_trained=partial(finish, report))
    except Interrupted as stopped:
        raise Interrupted(
            stopped.what,
            f"Continue: the same command with --out {folder}",
            signal=stopped.exit_code - 128,
        ) from stopped
    done = [outcome for outcome in outcomes if outcome.error is None]
    command = f"autoencode compare {join([str(folder)])}/*"
    if json:
        say_json(_record(folder, outcomes, command))
    else:
        for line in _lines(done):
            say(line)
        say(f"runs     {folder}")
        if len(done) > 1:
            say(f"compare  {command}")
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for each in failed:
        complain("error", f"{each.job.out}: {each.error}")
    if failed and failed[0].error is not None:
        raise typer.Exit(failed[0].error.exit_code)


def finish(report: bool, fitted: FitResult) -> dict[str, Any]:
    """Measures a run and writes what a single training writes; what is there is taken."""
    from autoencode.cli.measure import keep, measure
    from autoencode.report import write_card, write_report

    run = fitted.run
    assert run is not None
    kept = run.metrics()
    if kept is not None and (not report or (run.folder / "report.html").exists()):
        return kept
    metrics = measure(run, fitted.data, fitted.model)
    keep(run, fitted.data, metrics)
    if report:
        write_card(run)
        write_report(run, data=fitted.data)
    return metrics


def _free(folder: Path, folders: Sequence[Path], overwrite: bool) -> None:
    """Takes away the runs that are to be made anew.

    Raises:
        RunError: the folder is a file or a run itself, or one of `folders` holds what is no run.
    """
    from autoencode.train.run_folder import discard_unstarted, make_folder

    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, and runs need a folder", "Choose another --out.")
    if (folder / "run.json").exists():
        raise RunError(f"{folder} is a run, and each seed needs one", "Choose another --out.")
    there = [each for each in folders if overwrite and each.exists()]
    for each in there:
        if each.is_dir() and any(each.iterdir()) and not (each / "run.json").exists():
            raise RunError(
                f"{each} holds files that are no run, and --overwrite would delete them",
                "Choose another --out.",
            )
    for each in there:
        make_folder(each, overwrite)
        discard_unstarted(each)


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a run that the end of a training tells, in their order."""
    found = {name: metrics[name] for name in MAIN[:1] if name in metrics}
    found |= {f"terms.{name}": nats for name, nats in metrics["terms"].items()}
    return found | {name: metrics[name] for name in MAIN[1:] if metrics.get(name) is not None}


def _spread(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float | None]]:
    """Mean and standard deviation over the seeds of each figure that all of them have."""
    columns = [_figures(outcome.result) for outcome in outcomes]
    names = [name for name in (columns[0] if columns else ()) if all(name in c for c in columns)]
    return {
        name: {
            "mean": mean(column[name] for column in columns),
            "standard_deviation": stdev(c[name] for c in columns) if len(columns) > 1 else None,
        }
        for name in names
    }


def _record(folder: Path, outcomes: Sequence[Outcome], command: str) -> dict[str, Any]:
    done = [outcome for outcome in outcomes if outcome.error is None]
    return {
        "folder": str(folder),
        "runs": [
            {
                "run": str(each.job.out),
                "seed": each.job.settings["seed"],
                **(each.run.summary if each.run is not None else {}),
                **each.result,
            }
            for each in done
        ],
        "figures": _spread(done),
        "failed": [
            {
                "run": str(each.job.out),
                "seed": each.job.settings["seed"],
                "error": str(each.error),
                "exit_code": each.error.exit_code,
            }
            for each in outcomes
            if each.error is not None
        ],
        "compare": command,
    }


def _lines(done: Sequence[Outcome]) -> Iterator[str]:
    """A line for each run, and below them mean and standard deviation."""
    from autoencode.evaluation.metric_info import metric_info

    if not done:
        return
    found = _spread(done)
    run = done[0].run
    assert run is not None
    tests = done[0].result["n_test"]
    yield f"{run.recipe.name} on {run.data['name']}, {tests:,} test examples"
    rows = [["seed", *(metric_info(name).title for name in found), "seconds"]]
    for each in done:
        assert each.run is not None
        figures = _figures(each.result)
        seconds = f"{each.run.summary['seconds']:.0f}"
        seed = str(each.job.settings["seed"])
        rows.append([seed, *(_digits(name, figures[name]) for name in found), seconds])
    if len(done) > 1:
        means = [_digits(name, of["mean"]) for name, of in found.items()]
        spreads = [_digits(name, of["standard_deviation"]) for name, of in found.items()]
        rows += [["mean", *means, ""], ["standard deviation", *spreads, ""]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join([f"{row[0]:<{widths[0]}}", *cells]).rstrip()


def _digits(name: str, value: float | None) -> str:
    """A figure to the digits that `train` shows of it."""
    small = name in ("ssim", "knn_accuracy", "classification_error")
    return "–" if value is None else f"{value:.{4 if small else 3 if name == MAIN[0] else 2}f}"

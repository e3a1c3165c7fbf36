"""Many trainings at once: one process a core, one thread each, every one kept as it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from autoencode.data import Data, load_data
from autoencode.errors import AutoencodeError, RunError
from autoencode.evaluation import Shelf, evaluate
from autoencode.models.run import Run, open_run
from autoencode.models.store import write_json, writing
from autoencode.studies.study import Result, Training
from autoencode.train import fit, resume
from autoencode.train.settings import Settings


@dataclass(frozen=True)
class Task:
    """A training with all that another process needs; `folder` is that of its run."""

    training: Training
    folder: Path
    source: str
    options: Mapping[str, Any]


def carry_out(
    trainings: Sequence[Training], folder: Path, data: Data, workers: int
) -> Iterator[Result]:
    """Trains and measures all, in the order in which they end; those that are done are taken.

    Raises:
        RunError: the data are arrays in memory, which other processes cannot load.
        AutoencodeError: that of the first training that fails; the others that run are ended first.
    """
    if not data.source:
        raise RunError(
            "A study trains in several processes, which load the data themselves, and these are "
            "arrays in memory",
            "Save them first, numpy.savez_compressed, and give the path.",
        )
    tasks = [
        Task(each, folder / each.folder, data.source, {**data.options, **each.options})
        for each in trainings
    ]
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if min(workers, len(tasks)) <= 1:
        yield from map(_result, tasks, map(_work, tasks))
        return
    # A forked process would hang in the threads of its parent.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (str(folder),)) as pool:
        waiting = {pool.submit(_work, task): task for task in tasks}
        try:
            for done in as_completed(waiting):
                yield _result(waiting[done], done.result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _result(task: Task, metrics: dict[str, Any]) -> Result:
    return Result(task.training, open_run(task.folder), metrics)


def _begin(folder: str) -> None:
    """One thread for each process; what it has to say goes to a file, beside other processes'."""
    torch.set_num_threads(1)
    sys.stderr = (Path(folder) / f"worker-{os.getpid()}.log").open("w", encoding="utf-8")


def _work(task: Task) -> dict[str, Any]:
    """Trains and measures one; its figures."""
    data = load_data(task.source, **task.options)
    run = _trained(task, data)
    model = run.load_model()
    found = evaluate(model, data, task.training.measures, Shelf(run)).to_dict()
    metrics = {**found, "data": data.name}
    write_json(run.folder / "metrics.json", metrics)
    return metrics


def _trained(task: Task, data: Data) -> Run:
    """The finished run of a training, which may be there, whole or in part."""
    recipe = task.training.recipe
    settings = {**_rests(task.training), **task.training.settings, "seed": task.training.seed}
    try:
        run = open_run(task.folder)
    except AutoencodeError:
        run = None
    asked = (recipe, Settings.of(recipe, settings), data.fingerprint)
    if run is not None and (run.recipe, _settings(run), run.data["fingerprint"]) == asked:
        if run.status == "done":
            return run
        if run.status == "interrupted" or (run.folder / "state").is_dir():
            try:
                return _finished(resume(run.folder, data=data, progress=False).run)
            except RunError:
                pass  # it was cut off before its first checkpoint: from the beginning
    fitted = fit(
        recipe, data, out=task.folder, overwrite=task.folder.exists(), progress=False, **settings
    )
    return _finished(fitted.run)


def _settings(run: Run) -> Settings | None:
    """The settings of a run; those that it was made without are as they are by default."""
    try:
        return Settings(**run.settings)
    except (TypeError, AutoencodeError):  # of a newer version
        return None


def _rests(training: Training) -> dict[str, int]:
    """Trainings of a study are short: a few validations and checkpoints will do."""
    steps = Settings.of(training.recipe, training.settings).steps
    return {"validate_every": max(1, steps // 5), "checkpoint_every": max(1, steps // 3)}


def _finished(run: Run | None) -> Run:
    assert run is not None
    return run

"""Many trainings: in parallel on the cores of a processor, or one after another."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.data import Data
from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.io.folders import sweep
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, open_run
from autoencode.parts.networks.custom import is_custom, network_file
from autoencode.train.checkpoint import checkpoints
from autoencode.train.entry import fit, resume
from autoencode.train.many.shared import OnDisk, SharedData, share
from autoencode.train.many.workers import Ended, run_in_processes
from autoencode.train.precision import choose_device
from autoencode.train.progress import RunsBar
from autoencode.train.run_folder import REPLACE_FOLDER, discard_unstarted, locked
from autoencode.train.session import FitResult, adapted
from autoencode.train.settings import Settings


@dataclass(frozen=True)
class Job:
    """A training that is to be done.

    recipe: what is trained, `RECIPES["vae"]` for one.   data: what `load_data` gave.
    out: the folder of its run.   settings: see `Settings`; `seed` is one of them.
    overwrite: replace another training that is in the folder.
    on_validation: as of `fit`; it can be pickled.

    Raises:
        RecipeError: settings without meaning, or a device that is not there.

    >>> import autoencode as ae
    >>> job = ae.Job(ae.RECIPES["vae"], ae.load_data("digits"), "runs/vae", {"steps": 10})
    >>> job.chosen.steps, job.chosen.batch_size
    (10, 200)
    """

    recipe: Recipe
    data: Data
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    on_validation: Callable[[int, Mapping[str, Any]], None] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        if (init := self.settings.get("init")) is not None:  # as a run keeps it
            settings = {**self.settings, "init": str(Path(init).absolute())}
            object.__setattr__(self, "settings", settings)
        choose_device(self.chosen.device)

    @property
    def chosen(self) -> Settings:
        """Its settings over those of the recipe."""
        return Settings.of(self.recipe, self.settings)


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    run: its run, where it was trained to the end.   result: what `on_trained` returned.
    error: why there is no run or no result; None where both are there.
    """

    job: Job
    run: Run | None
    result: Any
    error: AutoencodeError | None


def fit_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    on_trained: Callable[[FitResult], Any] | None = None,
    on_finished: Callable[[Outcome], None] | None = None,
    progress: bool | None = None,
) -> list[Outcome]:
    """Trains many models, each as `fit` would alone; returns an outcome for each job, in order.

    On a processor with several cores the trainings run in parallel, one thread each, in worker
    processes that are kept from one job to the next: the weights are bit for bit those that `fit`
    gives with one thread. On an accelerator, and with `workers=1`, they run in this process one
    after another. All processes share one copy of the data in memory.

    A folder that holds this very training is taken as it is if it is done, and resumed if it was
    interrupted: the same call continues where it was stopped. A training that fails leaves the
    others alone. A script calls this under `if __name__ == "__main__":`, since every worker
    imports the script.

    jobs: what is trained, and into which folders.
    workers: number of worker processes; None is one for each core of a processor.
    on_trained: called with each trained model in the process that trained it, for instance to
        measure it; a function at the top of a module, whose result becomes `Outcome.result`.
    on_finished: called in this process with each outcome as it comes.
    progress: as of `fit`.

    Raises:
        RecipeError: settings without meaning.
        RunError: a folder is given twice or holds something else. Both before anything is trained.
        Interrupted: Ctrl-C or SIGTERM, after every run that was trained has been saved.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> settings = [{"steps": 5, "seed": seed} for seed in range(2)]
    >>> jobs = [ae.Job(ae.RECIPES["ae"], data, f"runs/{s['seed']}", s) for s in settings]
    >>> [outcome.run.status for outcome in ae.fit_many(jobs, workers=1)]
    ['done', 'done']
    """
    _check_folders(jobs)
    found: dict[int, Outcome] = {}

    def finished(position: int, end: Ended) -> None:
        job = jobs[position]
        run = existing_run(job)
        done = run is not None and run.status == "done"
        found[position] = Outcome(job, run if done else None, end.value, end.error)
        if on_finished is not None:
            on_finished(found[position])

    count = min(workers or default_workers(jobs), len(jobs))
    if count <= 1:
        signal = _one_after_another(jobs, on_trained, finished, progress)
    else:
        signal = _in_parallel(jobs, on_trained, finished, progress, count)
    if signal is not None and len(found) < len(jobs):
        done = sum(outcome.run is not None for outcome in found.values())
        raise Interrupted(
            f"Stopped with {done} of {len(jobs)} trainings done; everything is saved",
            "Give the same again to continue.",
            signal=signal,
        )
    return [found[position] for position in range(len(jobs))]


def default_workers(jobs: Sequence[Job]) -> int:
    """One process for each core; one alone on an accelerator, where several would share it."""
    if any(choose_device(job.chosen.device).type != "cpu" for job in jobs):
        return 1
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def existing_run(job: Job) -> Run | None:
    """The run in the folder of a job, complete or not, if it is of the same training; else None."""
    try:
        run = open_run(job.out)
        settings = Settings(**run.settings)  # settings that the run lacks have their defaults
        wanted, _ = adapted(job.recipe, job.data, job.settings)  # as a run keeps it
        chosen = Settings.of(wanted, job.settings)
    except (AutoencodeError, TypeError):  # none, or one of a newer version
        return None
    recipe, own = run.recipe, wanted.network
    if run.network_sha256 is not None and is_custom(own.kind):
        # Each run has a copy of the file: the content counts.
        file, name = network_file(own.kind)
        if (sha256(file.read_bytes()).hexdigest(), name) == (
            run.network_sha256,
            network_file(recipe.network.kind)[1],
        ):
            recipe = recipe.but(network=replace(recipe.network, kind=own.kind))
    same = (recipe, settings) == (wanted, chosen)
    return run if same and run.data["fingerprint"] == job.data.fingerprint else None


def _check_folders(jobs: Sequence[Job]) -> None:
    folders: set[Path] = set()
    for job in jobs:
        if job.out.resolve() in folders:
            raise RunError(f"{job.out} is given twice", "Give each training a folder of its own.")
        folders.add(job.out.resolve())
        free = not job.out.exists() or _is_no_run_yet(job.out)
        if not free and not job.overwrite and existing_run(job) is None:
            raise RunError(f"{job.out} exists and is not this training", REPLACE_FOLDER)


def _is_no_run_yet(out: Path) -> bool:
    """Whether a folder is empty, or holds only what a kill left before the run was written."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    return names <= {"state", "run.lock", "network.py", "recipe.json"} and not checkpoints(
        out / "state"
    )


def _one_after_another(
    jobs: Sequence[Job],
    on_trained: Callable[[FitResult], Any] | None,
    finished: Callable[[int, Ended], None],
    progress: bool | None,
) -> int | None:
    """Trains in this process; returns the signal that stopped it."""
    for position, job in enumerate(jobs):
        try:
            end = Ended(_train(job, on_trained, progress))
        except Interrupted as interrupted:
            return interrupted.exit_code - 128
        except AutoencodeError as error:
            end = Ended(error=error)
        finished(position, end)
    return None


def _train(
    job: Job, on_trained: Callable[[FitResult], Any] | None, progress: bool | None = False
) -> Any:
    """Trains a job, whose run may be there, complete or in part; returns what `on_trained` did."""
    run = existing_run(job)
    if run is not None and run.status == "done":
        fitted = FitResult(run.load_model(), dict(run.summary), job.data, run)
    elif run is not None and checkpoints(job.out / "state"):
        fitted = resume(job.out, data=job.data, progress=progress, on_validation=job.on_validation)
    else:
        _clear(job.out)
        fitted = fit(
            job.recipe,
            job.data,
            out=job.out,
            overwrite=job.overwrite or run is not None,
            progress=progress,
            on_validation=job.on_validation,
            **job.settings,
        )
    return None if on_trained is None else on_trained(fitted)


def _clear(out: Path) -> None:
    """Deletes what a kill left of a run before it was written."""
    if out.is_dir() and _is_no_run_yet(out):
        with locked(out):
            discard_unstarted(out)


@dataclass(frozen=True)
class Task:
    """A job as it is sent to another process; `data` is the position of its data."""

    recipe: Mapping[str, Any]
    data: int
    out: Path
    settings: Mapping[str, Any]
    overwrite: bool
    on_validation: Callable[[int, Mapping[str, Any]], None] | None


class Work:
    """The work of a process: it trains each task that it receives, and maps the data once."""

    def __init__(
        self, shared: Sequence[SharedData | OnDisk], on_trained: Callable[[FitResult], Any] | None
    ) -> None:
        self.shared, self.on_trained = shared, on_trained
        self.mapped: dict[int, Data] = {}

    def __call__(self, task: Task) -> Any:
        """Trains one; returns what `on_trained` returned."""
        if task.data not in self.mapped:
            self.mapped[task.data] = self.shared[task.data].data()
        # From its JSON form: reading it executes the file of a network of the user's own.
        recipe = Recipe.from_dict(task.recipe)
        data = self.mapped[task.data]
        job = Job(recipe, data, task.out, task.settings, task.overwrite, task.on_validation)
        return _train(job, self.on_trained)


def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder for shared data; those that killed processes left are removed."""
    prefix = f"autoencode-{platform.node()}-"  # the folder may be that of several machines
    pattern = re.compile(rf"{re.escape(prefix)}(\d{{1,9}})-\w+")
    sweep(Path(tempfile.gettempdir()), pattern, folders=True)
    return tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", ignore_cleanup_errors=True)


def _in_parallel(
    jobs: Sequence[Job],
    on_trained: Callable[[FitResult], Any] | None,
    finished: Callable[[int, Ended], None],
    progress: bool | None,
    count: int,
) -> int | None:
    """Trains in worker processes; returns the signal that stopped them."""
    totals = [job.chosen.total_steps(len(job.data.train)) for job in jobs]
    bar = RunsBar([job.out for job in jobs], totals, progress)

    def on_end(position: int, end: Ended) -> None:
        bar.finish(position)
        finished(position, end)

    def on_warning(position: int, text: str) -> None:
        warnings.warn(f"{jobs[position].out}: {text}", stacklevel=4)

    with _scratch_folder() as scratch:
        distinct = {id(job.data): job.data for job in jobs}
        places = {key: place for place, key in enumerate(distinct)}
        shared = [share(data, Path(scratch) / str(places[key])) for key, data in distinct.items()]
        tasks = [
            Task(
                job.recipe.to_dict(),
                places[id(job.data)],
                job.out,
                job.settings,
                job.overwrite,
                job.on_validation,
            )
            for job in jobs
        ]
        with bar:
            return run_in_processes(
                Work(shared, on_trained),
                tasks,
                count,
                scratch=Path(scratch),
                on_end=on_end,
                on_warning=on_warning,
                refresh=bar.refresh,
            )

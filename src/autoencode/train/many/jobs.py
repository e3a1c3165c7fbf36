"""Many trainings: beside each other on a processor's cores, one after another on an accelerator."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.data import Data
from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, open_run
from autoencode.parts.networks.custom import is_custom, network_file
from autoencode.train.checkpoint import checkpoints
from autoencode.train.fit import fit, resume
from autoencode.train.lockstep.alike import likeness, on_device, train_together
from autoencode.train.lockstep.draws import Untraceable
from autoencode.train.many.shared import OnDisk, SharedData, share
from autoencode.train.many.workers import Ended, side_by_side
from autoencode.train.precision import choose_device
from autoencode.train.progress import RunsBar
from autoencode.train.run_folder import discard_unstarted, locked
from autoencode.train.settings import Settings
from autoencode.train.training import Fitted, interrupted, prepared


@dataclass(frozen=True)
class Job:
    """A training that is to be done.

    recipe: what is trained, `RECIPES["vae"]` for one.   data: what `load_data` gave.
    out: the folder of its run.   settings: see `Settings`; `seed` is one of them.
    overwrite: replace another training that is in the folder.

    Raises:
        RecipeError: settings without meaning, or a device that is not there.
    """

    recipe: Recipe
    data: Data
    out: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False

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

    run: its run, where it was trained to the end.   found: what `finish` gave.
    error: why one of them is not there; None where both are.
    """

    job: Job
    run: Run | None
    found: Any
    error: AutoencodeError | None


def fit_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    stacked: bool | None = None,
    finish: Callable[[Fitted], Any] | None = None,
    tell: Callable[[Outcome], None] | None = None,
    progress: bool | None = None,
) -> list[Outcome]:
    """Trains many models, each as `fit` would alone; what became of each, in the order of the jobs.

    On a processor with several cores they are trained beside each other, one thread each, in
    processes that are kept from one run to the next: the weights are bit for bit those that `fit`
    gives with one thread. On a GPU of CUDA those that differ only in their seeds and in the
    weights of their terms are trained in lockstep, their weights in common tensors, so that one
    operation serves them all: each sees the batches and the noise that it would see alone, and its
    weights differ by rounding. What cannot be, and all with `workers=1` on a processor, is trained
    in this process one after another. The data are in memory once for all.

    A folder that holds this very training is taken as it is if it was finished, and continued if
    it was cut short; so the same call goes on where it was stopped. A training that fails leaves
    the others alone. A script calls this under `if __name__ == "__main__":`, since every process
    imports the script.

    workers: processes at once; None is one for each core of a processor.
    stacked: whether those that are alike are trained in lockstep; None is on a GPU of CUDA only.
    finish: called with each model where it was trained, to measure it for instance; a function at
        the top of a module, whose result is handed back.
    tell: called here with each outcome as it comes.

    Raises:
        RecipeError: settings without meaning.
        RunError: a folder is given twice or holds something else. Both before anything is trained.
        Interrupted: Ctrl-C or SIGTERM, after every run that was trained has been saved.
    """
    _check_folders(jobs)
    found: dict[int, Outcome] = {}

    def ended(position: int, end: Ended) -> None:
        job = jobs[position]
        run = existing_run(job)
        done = run is not None and run.status == "done"
        found[position] = Outcome(job, run if done else None, end.value, end.error)
        if tell is not None:
            tell(found[position])

    count = min(workers or worth_at_once(jobs), len(jobs))
    on_gpu = any(choose_device(job.chosen.device).type == "cuda" for job in jobs)
    # Asked for, even one is trained so.
    fewest = 1 if stacked else 2 if on_gpu and stacked is None else None
    if fewest is not None or count <= 1:
        stopped = _here(jobs, fewest, finish, ended, progress)
    else:
        stopped = _beside(jobs, finish, ended, progress, count)
    if stopped is not None and len(found) < len(jobs):
        done = sum(outcome.run is not None for outcome in found.values())
        raise Interrupted(
            f"Stopped with {done} of {len(jobs)} trainings done; everything is saved",
            "Give the same again to go on.",
            signal=stopped,
        )
    return [found[position] for position in range(len(jobs))]


def worth_at_once(jobs: Sequence[Job]) -> int:
    """Processes that pay: one a core; on an accelerator they would wait for each other."""
    if any(choose_device(job.chosen.device).type != "cpu" for job in jobs):
        return 1
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def existing_run(job: Job) -> Run | None:
    """The run of this very training that is in the folder of a job, finished or not."""
    try:
        run = open_run(job.out)
        settings = Settings(**run.settings)  # what it was made without is as it is by default
    except (AutoencodeError, TypeError):  # none, or one of a newer version
        return None
    recipe, own = run.recipe, job.recipe.network
    if run.network_sha256 is not None and is_custom(own.kind):
        # Each run has a copy of its own: what counts is what it says.
        file, name = network_file(own.kind)
        if (sha256(file.read_bytes()).hexdigest(), name) == (
            run.network_sha256,
            network_file(recipe.network.kind)[1],
        ):
            recipe = recipe.but(network=replace(recipe.network, kind=own.kind))
    same = (recipe, settings) == (job.recipe, job.chosen)
    return run if same and run.data["fingerprint"] == job.data.fingerprint else None


def _check_folders(jobs: Sequence[Job]) -> None:
    met: set[Path] = set()
    for job in jobs:
        if job.out.resolve() in met:
            raise RunError(f"{job.out} is given twice", "Give each training a folder of its own.")
        met.add(job.out.resolve())
        free = not job.out.exists() or _is_no_run_yet(job.out)
        if not free and not job.overwrite and existing_run(job) is None:
            raise RunError(
                f"{job.out} exists and is not this training",
                "Choose another --out, or replace it with --overwrite.",
            )


def _is_no_run_yet(out: Path) -> bool:
    """Whether a folder holds nothing, or what a kill has left of one that was being made."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    return names <= {"state", "run.lock", "network.py", "recipe.json"} and not checkpoints(
        out / "state"
    )


def _here(
    jobs: Sequence[Job],
    fewest: int | None,
    finish: Callable[[Fitted], Any] | None,
    ended: Callable[[int, Ended], None],
    progress: bool | None,
) -> int | None:
    """Trains in this process; gives the signal that stopped it.

    fewest: so many that are alike are trained in lockstep; None is never.
    """
    try:
        for group in _groups(jobs) if fewest else [[i] for i in range(len(jobs))]:
            enough = fewest is not None and len(group) >= fewest
            joined = enough and not _is_done(jobs[group[0]])
            found = _of_group(jobs, group, joined, progress)
            for position, trained in zip(group, found, strict=True):
                ended(position, _finished(trained, finish))
    except Interrupted as stopped:
        return stopped.exit_code - 128
    return None


def _groups(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of the jobs that can be done in lockstep."""
    groups: dict[Any, list[int]] = {}
    for position, job in enumerate(jobs):
        key = position if _is_done(job) else (id(job.data), likeness(job.recipe, job.chosen))
        groups.setdefault(key, []).append(position)
    return list(groups.values())


def _is_done(job: Job) -> bool:
    run = existing_run(job)
    return run is not None and run.status == "done"


def _of_group(
    jobs: Sequence[Job], group: Sequence[int], joined: bool, progress: bool | None
) -> Iterator[Fitted | AutoencodeError]:
    """What becomes of each.

    Raises:
        Interrupted: Ctrl-C or SIGTERM, after saving.
    """
    if joined:
        with suppress(Untraceable):
            yield from _lockstep([jobs[position] for position in group], progress)
            return
    for position in group:
        try:
            yield _trained(jobs[position], progress)
        except Interrupted:
            raise
        except AutoencodeError as error:
            yield error


def _lockstep(jobs: Sequence[Job], progress: bool | None) -> list[Fitted | AutoencodeError]:
    try:
        trainings, held = [], None
        for job in jobs:
            run = existing_run(job)
            if run is not None and checkpoints(job.out / "state"):
                training = interrupted(run, job.data, progress, held)
            else:
                _clear(job.out)
                training = prepared(job.recipe, job.data, job.settings, job.out, progress, held)
            held = held or on_device(job.data, training)
            trainings.append(training)
    except AutoencodeError as error:
        # They are alike: what is wrong with one is wrong with all.
        return [error] * len(jobs)
    replacing = [job.overwrite or existing_run(job) is not None for job in jobs]
    return train_together(trainings, replacing, progress)


def _finished(trained: Fitted | AutoencodeError, finish: Callable[[Fitted], Any] | None) -> Ended:
    """Raises Interrupted: Ctrl-C or SIGTERM."""
    if isinstance(trained, AutoencodeError):
        return Ended(error=trained)
    try:
        return Ended(None if finish is None else finish(trained))
    except Interrupted:
        raise
    except AutoencodeError as error:
        return Ended(error=error)


def _carry_out(
    job: Job, finish: Callable[[Fitted], Any] | None, progress: bool | None = False
) -> Any:
    fitted = _trained(job, progress)
    return None if finish is None else finish(fitted)


def _trained(job: Job, progress: bool | None) -> Fitted:
    """The training of a job, which may be there, whole or in part."""
    run = existing_run(job)
    if run is not None and run.status == "done":
        return Fitted(run.load_model(), dict(run.summary), job.data, run)
    if run is not None and checkpoints(job.out / "state"):
        return resume(job.out, data=job.data, progress=progress)
    _clear(job.out)
    return fit(
        job.recipe,
        job.data,
        out=job.out,
        overwrite=job.overwrite or run is not None,
        progress=progress,
        **job.settings,
    )


def _clear(out: Path) -> None:
    """Takes away what a kill has left of a run that was being made."""
    if out.is_dir() and _is_no_run_yet(out):
        with locked(out):
            discard_unstarted(out)


@dataclass(frozen=True)
class Task:
    """A job as another process is told of it; `data` is the position of its data."""

    recipe: Mapping[str, Any]
    data: int
    out: Path
    settings: Mapping[str, Any]
    overwrite: bool


class Work:
    """What each process does with a task; it maps the data once, when they are first asked for."""

    def __init__(
        self, shared: Sequence[SharedData | OnDisk], finish: Callable[[Fitted], Any] | None
    ) -> None:
        self.shared, self.finish = shared, finish
        self.mapped: dict[int, Data] = {}

    def __call__(self, task: Task) -> Any:
        """Trains one, and gives what `finish` makes of it."""
        if task.data not in self.mapped:
            self.mapped[task.data] = self.shared[task.data].data()
        # From its words, as a file with a network of the user's own is executed by that.
        recipe = Recipe.from_dict(task.recipe)
        job = Job(recipe, self.mapped[task.data], task.out, task.settings, task.overwrite)
        return _carry_out(job, self.finish)


def _beside(
    jobs: Sequence[Job],
    finish: Callable[[Fitted], Any] | None,
    ended: Callable[[int, Ended], None],
    progress: bool | None,
    count: int,
) -> int | None:
    totals = [job.chosen.total_steps(len(job.data.train)) for job in jobs]
    bar = RunsBar([job.out for job in jobs], totals, progress)

    def one_more(position: int, end: Ended) -> None:
        bar.ended(position)
        ended(position, end)

    def warned(position: int, text: str) -> None:
        warnings.warn(f"{jobs[position].out}: {text}", stacklevel=4)

    with tempfile.TemporaryDirectory(prefix="autoencode-", ignore_cleanup_errors=True) as scratch:
        distinct = {id(job.data): job.data for job in jobs}
        places = {key: place for place, key in enumerate(distinct)}
        shared = [share(data, Path(scratch) / str(places[key])) for key, data in distinct.items()]
        tasks = [
            Task(job.recipe.to_dict(), places[id(job.data)], job.out, job.settings, job.overwrite)
            for job in jobs
        ]
        with bar:
            return side_by_side(
                Work(shared, finish),
                tasks,
                count,
                scratch=Path(scratch),
                ended=one_more,
                warned=warned,
                look=bar.look,
            )

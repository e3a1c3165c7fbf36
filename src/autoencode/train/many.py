"""Many trainings: beside each other on a processor's cores, one after another on an accelerator."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from autoencode.data import Data
from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, open_run
from autoencode.parts.networks.own import file_of, is_own
from autoencode.train.checkpoint import checkpoints
from autoencode.train.fit import Fitted, fit, resume
from autoencode.train.folder import discard_unstarted, locked
from autoencode.train.precision import choose_device
from autoencode.train.progress import RunsBar
from autoencode.train.settings import Settings
from autoencode.train.shared import OnDisk, SharedData, share
from autoencode.train.workers import Ended, side_by_side


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
    finish: Callable[[Fitted], Any] | None = None,
    tell: Callable[[Outcome], None] | None = None,
    progress: bool | None = None,
) -> list[Outcome]:
    """Trains many models, each as `fit` would alone; what became of each, in the order of the jobs.

    On a processor with several cores they are trained beside each other, one thread each, in
    processes that are kept from one run to the next: the weights are bit for bit those that `fit`
    gives with one thread. On an accelerator, or with `workers=1`, they are trained in this process
    one after another. The data are in memory once for all processes.

    A folder that holds this very training is taken as it is if it was finished, and continued if
    it was cut short; so the same call goes on where it was stopped. A training that fails leaves
    the others alone. A script calls this under `if __name__ == "__main__":`, since every process
    imports the script.

    workers: processes at once; None is one for each core of a processor.
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
        run = standing(job)
        done = run is not None and run.status == "done"
        found[position] = Outcome(job, run if done else None, end.value, end.error)
        if tell is not None:
            tell(found[position])

    count = min(workers or worth_at_once(jobs), len(jobs))
    if count <= 1:
        stopped = _one_by_one(jobs, finish, ended, progress)
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


def standing(job: Job) -> Run | None:
    """The run of this very training that is in the folder of a job, finished or not."""
    try:
        run = open_run(job.out)
        settings = Settings(**run.settings)  # what it was made without is as it is by default
    except (AutoencodeError, TypeError):  # none, or one of a newer version
        return None
    recipe, own = run.recipe, job.recipe.network
    if run.network_sha256 is not None and is_own(own.kind):
        # Each run has a copy of its own: what counts is what it says.
        file, name = file_of(own.kind)
        if (sha256(file.read_bytes()).hexdigest(), name) == (
            run.network_sha256,
            file_of(recipe.network.kind)[1],
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
        if not free and not job.overwrite and standing(job) is None:
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


def _one_by_one(
    jobs: Sequence[Job],
    finish: Callable[[Fitted], Any] | None,
    ended: Callable[[int, Ended], None],
    progress: bool | None,
) -> int | None:
    for position, job in enumerate(jobs):
        try:
            end = Ended(_carry_out(job, finish, progress))
        except Interrupted as stopped:
            return stopped.exit_code - 128
        except AutoencodeError as error:
            end = Ended(error=error)
        ended(position, end)
    return None


def _carry_out(
    job: Job, finish: Callable[[Fitted], Any] | None, progress: bool | None = False
) -> Any:
    fitted = _trained(job, progress)
    return None if finish is None else finish(fitted)


def _trained(job: Job, progress: bool | None) -> Fitted:
    """The training of a job, which may be there, whole or in part."""
    run = standing(job)
    if run is not None and run.status == "done":
        return Fitted(run.load_model(), dict(run.summary), job.data, run)
    if run is not None and checkpoints(job.out / "state"):
        return resume(job.out, data=job.data, progress=progress)
    if job.out.is_dir() and _is_no_run_yet(job.out):
        with locked(job.out):
            discard_unstarted(job.out)
    return fit(
        job.recipe,
        job.data,
        out=job.out,
        overwrite=job.overwrite or run is not None,
        progress=progress,
        **job.settings,
    )


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

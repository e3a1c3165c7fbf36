"""Trainings that are to be done, and what becomes of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from signal import SIGINT
from typing import Any

from autoencode.data import Data
from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.io.folders import check_replaceable
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, open_run
from autoencode.parts.networks.custom import is_custom, network_file
from autoencode.train.checkpoint import checkpoints
from autoencode.train.entry import fit, resume
from autoencode.train.precision import choose_device
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


def default_workers(jobs: Sequence[Job]) -> int:
    """One process for each core; one alone on an accelerator, where several would share it."""
    if any(choose_device(job.chosen.device).type != "cpu" for job in jobs):
        return 1
    return cores()


def cores() -> int:
    """The cores that this process may use."""
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


def check_folders(jobs: Sequence[Job]) -> None:
    """Refuses folders that are given twice or hold something else.

    Raises:
        RunError: as said.
    """
    folders: set[Path] = set()
    for job in jobs:
        if job.out.resolve() in folders:
            raise RunError(f"{job.out} is given twice", "Give each training a folder of its own.")
        folders.add(job.out.resolve())
        free = not job.out.exists() or _is_no_run_yet(job.out)
        if not free and not job.overwrite and existing_run(job) is None:
            raise RunError(f"{job.out} exists and is not this training", REPLACE_FOLDER)
        if not free and job.out.is_dir():
            check_replaceable(job.out)


def _is_no_run_yet(out: Path) -> bool:
    """Whether a folder is empty, or holds only what a kill left before the run was written."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    return names <= {"state", "run.lock", "network.py", "recipe.json"} and not checkpoints(
        out / "state"
    )


def train_job(
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
    if on_trained is None:
        return None
    try:
        return on_trained(fitted)
    except KeyboardInterrupt as error:  # the run is saved
        raise Interrupted("Stopped while the model was measured", signal=SIGINT) from error


def _clear(out: Path) -> None:
    """Deletes what a kill left of a run before it was written."""
    if out.is_dir() and _is_no_run_yet(out):
        with locked(out):
            discard_unstarted(out)

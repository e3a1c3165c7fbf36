"""What a worker of a cluster does: one training at a time, in one thread, until it is stopped."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from signal import SIGTERM
from typing import Any

import torch
from distributed import Status, get_worker

from autoencode.data import Data
from autoencode.errors import (
    AutoencodeError,
    Interrupted,
    ResourceError,
    RunError,
    is_disk_full,
    is_out_of_memory,
)
from autoencode.io.signals import asked_to_stop
from autoencode.models.recipe import Recipe
from autoencode.scale.jobs import Job, train_job
from autoencode.scale.shared import OnDisk, SharedData
from autoencode.train.session import FitResult


@dataclass(frozen=True)
class Task:
    """A job as it is sent to a worker.

    call: the name of the call of `fit_many` that it belongs to.
    marks: files that a worker sees if it has the file system of the run's folder.
    sent: whether data, the unfinished run and the network were sent to those that do not.
    run: an archive of the unfinished run, if it is sent and there is one.
    network: name and content of the file of a network of the user's own, if it is sent.
    """

    call: str
    recipe: Mapping[str, Any]
    data: SharedData | OnDisk
    out: Path
    marks: Path
    settings: Mapping[str, Any]
    overwrite: bool
    on_validation: Callable[[int, Mapping[str, Any]], None] | None
    on_trained: Callable[[FitResult], Any] | None
    sent: bool = False
    run: bytes = b""
    network: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class TaskResult:
    """What became of a task.

    value: what `on_trained` returned.   error: why the training or `on_trained` failed.
    fault: the traceback of an error of this program.   stopped: whether it was asked to stop.
    unseen: whether files are missing that were not sent.
    warnings: those that it gave.   run: an archive of the run, if it is not where it should be.
    """

    value: Any = None
    error: AutoencodeError | None = None
    fault: str = ""
    stopped: bool = False
    unseen: bool = False
    warnings: Sequence[str] = field(default_factory=tuple)
    run: bytes = b""


# The calls that are to stop, and the signals that asked for it.
_stopped: dict[str, int] = {}
_data: dict[Any, Data] = {}  # mapped once in each process
_one_at_a_time = threading.Lock()


def stop(call: str, signal: int) -> None:
    """Lets all tasks of a call save and end, also those that begin later."""
    _stopped[call] = signal


def train(task: Task) -> TaskResult:
    """Trains one model, and answers also where it fails: what is raised would be tried again."""
    worker = get_worker()
    key = worker.get_current_task()

    def asked() -> int | None:
        if (signal := _stopped.get(task.call)) is not None:
            return signal
        # The scheduler is gone, or the client.
        if worker.status not in (Status.running, Status.paused):
            return SIGTERM
        known = worker.state.tasks.get(key)
        return SIGTERM if known is None or known.state == "cancelled" else None

    found: list[warnings.WarningMessage] = []
    with _one_at_a_time, open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
        # Bars and messages of several processes would overwrite each other.
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        found = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        stack.enter_context(asked_to_stop(asked))
        torch.set_num_threads(1)
        answer = _answer(task)
    return replace(answer, warnings=[str(each.message) for each in found])


def _answer(task: Task) -> TaskResult:
    here = task.marks.exists()
    if not task.sent and not (here and all(path.exists() for path in task.data.files)):
        return TaskResult(unseen=True)
    if here:
        return _outcome(task, task.out)
    with tempfile.TemporaryDirectory(prefix="autoencode-") as local:
        out = Path(local) / task.out.name
        if task.run:
            unpack(task.run, out)
        answer = _outcome(task, out)
        return replace(answer, run=pack(out) if out.is_dir() else b"")


def _outcome(task: Task, out: Path) -> TaskResult:
    try:
        recipe = dict(task.recipe)
        if task.network is not None and out != task.out:
            name, content = task.network
            file = out.parent / Path(name).name
            file.write_bytes(content)
            kind = recipe["network"]["kind"].replace(name, str(file))
            recipe["network"] = {**recipe["network"], "kind": kind}
        # From its JSON form: reading it executes the file of a network of the user's own.
        job = Job(
            Recipe.from_dict(recipe),
            _data_of(task.data),
            out,
            task.settings,
            task.overwrite,
            task.on_validation,
        )
        return TaskResult(value=train_job(job, task.on_trained))
    except (Interrupted, KeyboardInterrupt):
        return TaskResult(stopped=True)
    except AutoencodeError as error:
        return TaskResult(error=error)
    except OSError as error:
        what = f"{error.filename or 'A file'} cannot be read or written: {error.strerror}"
        return TaskResult(error=(ResourceError if is_disk_full(error) else RunError)(what))
    except Exception as error:
        if is_out_of_memory(error):
            return TaskResult(error=ResourceError("Memory ran out", "Use fewer workers."))
        text = traceback.format_exc()
        return TaskResult(fault=text, error=RunError(text.splitlines()[-1]))


def _data_of(shared: SharedData | OnDisk) -> Data:
    key = shared.key
    if key not in _data:
        _data.clear()  # one collection at a time is in memory
        _data[key] = shared.data()
    return _data[key]


def pack(folder: Path) -> bytes:
    """A folder as an archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder, ".", filter=lambda entry: None if entry.name == "./run.lock" else entry)
    return content.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Writes an archive in place of a folder, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            opened.extractall(new, filter="data")
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        new.rename(folder)

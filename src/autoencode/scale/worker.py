"""What a worker of a cluster does: one training at a time, in one thread, until it is stopped."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, Any

import torch
from distributed import Status, Variable, get_client, get_worker

from autoencode.data import Data
from autoencode.errors import (
    AutoencodeError,
    Interrupted,
    ResourceError,
    RunError,
    is_disk_full,
    is_out_of_memory,
)
from autoencode.io.signals import StopSignals, asked_to_stop
from autoencode.models.recipe import Recipe
from autoencode.scale.callbacks import loaded
from autoencode.scale.jobs import Job, train_job
from autoencode.scale.shared import OnDisk, SharedData
from autoencode.train.checkpoint import after_each_checkpoint
from autoencode.train.session import FitResult

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Task:
    """A job as it is sent to a worker.

    call: the name of the call of `fit_many` that it belongs to.
    marks: files that a worker sees if it has the file system of the run's folder.
    callbacks: those of `on_validation` and `on_trained` that there are, see `callbacks`.
    sent: whether data, the unfinished run and the network were sent to those that do not.
    run: an archive of the unfinished run, if it is sent and there is one.
    network: name and content of the file of a network of the user's own, if it is sent.
    command: the words of the command line of the caller, which runs keep.
    """

    call: str
    recipe: Mapping[str, Any]
    data: SharedData | OnDisk
    out: Path
    marks: Path
    settings: Mapping[str, Any]
    overwrite: bool
    callbacks: Mapping[str, bytes]
    sent: bool = False
    run: bytes = b""
    network: tuple[str, bytes] | None = None
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """What became of a task.

    value: what `on_trained` returned.   error: why the training or `on_trained` failed.
    fault: the traceback of an error of this program.   stopped: whether it was asked to stop.
    unseen: whether files are missing that were not sent.
    refused: whether no training of the call can be done, for the reason that `error` says.
    warnings: those that it gave.   run: an archive of the run, if it is not where it should be.
    """

    value: Any = None
    error: AutoencodeError | None = None
    fault: str = ""
    stopped: bool = False
    unseen: bool = False
    refused: bool = False
    warnings: Sequence[str] = field(default_factory=tuple)
    run: bytes = b""


# The calls that are to stop, and the signals that asked for it.
_stopped: dict[str, int] = {}
_data: dict[Any, Data] = {}  # mapped once in each process
_one_at_a_time = threading.Lock()


_measuring: set[str] = set()  # the tasks whose models are trained and are being measured


def stop(call: str, signal: int) -> set[str]:
    """Lets all tasks of a call save and end, also those that begin later.

    Returns those that need not be waited for, as their models are trained.
    """
    _stopped[call] = signal
    return set(_measuring)


def is_measuring() -> bool:
    """Whether this process is busy with something that does not end when it is asked to."""
    return bool(_measuring)


def train(task: Task) -> TaskResult:
    """Trains one model, and answers also where it fails: what is raised would be tried again."""
    worker = get_worker()
    key = str(worker.get_current_task())

    def is_wanted() -> bool:
        known = worker.state.tasks.get(key)
        return known is not None and known.state != "cancelled"

    def asked() -> int | None:
        if (signal := _stopped.get(task.call)) is not None:
            return signal
        # The worker is closed, also where the scheduler is gone; or the client is gone.
        closed = worker.status not in (Status.running, Status.paused)
        return SIGTERM if closed or not is_wanted() else None

    found: list[warnings.WarningMessage] = []
    with _one_at_a_time, open(os.devnull, "w") as nowhere, contextlib.ExitStack() as stack:
        # Bars and messages of several processes would overwrite each other.
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        found = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        stack.enter_context(asked_to_stop(asked))
        stack.callback(setattr, sys, "argv", sys.argv)
        sys.argv = list(task.command)
        torch.set_num_threads(1)
        answer = _answer(task, key, Path(worker.local_directory))
        if task.sent and not is_wanted():
            forget(key, get_client())
    return replace(answer, warnings=[str(each.message) for each in found])


def _answer(task: Task, key: str, scratch: Path) -> TaskResult:
    here = task.marks.exists()
    if not task.sent and not (here and all(path.exists() for path in task.data.files)):
        return TaskResult(unseen=True)
    try:
        callbacks = loaded(task.callbacks)
    except RunError as error:
        return TaskResult(error=error, refused=True)

    def measured(before: Callable[[], None]) -> dict[str, Callable[..., Any]]:
        on_trained = callbacks.get("on_trained")
        if on_trained is None:
            return callbacks
        return {**callbacks, "on_trained": partial(_measure, key, before, on_trained)}

    if here:
        # A worker that does not see the folder may have begun it.
        if task.sent and (archive := newest_run(key, get_client())):
            unpack(archive, task.out)
            forget(key, get_client())
        return _outcome(task, task.out, measured(lambda: None))
    # Dask deletes the folder of a worker that was killed.
    with tempfile.TemporaryDirectory(prefix="autoencode-", dir=scratch) as local:
        out = Path(local) / task.out.name
        # A worker that was killed may have sent more than the caller knew.
        if archive := newest_run(key, get_client()) or task.run:
            unpack(archive, out)
        send = partial(_send_run, key, out)
        with after_each_checkpoint(send):
            answer = _outcome(task, out, measured(send))
        if answer.error is not None:  # in words of the caller, who does not see the folder
            what, fix = (
                text.replace(str(out), str(task.out))
                for text in (answer.error.what, answer.error.fix)
            )
            answer = replace(answer, error=type(answer.error)(what, fix))
        return replace(answer, run=pack(out) if out.is_dir() else b"")


def _measure(
    key: str,
    before: Callable[[], None],
    on_trained: Callable[[FitResult], Any],
    fitted: FitResult,
) -> Any:
    """Calls `on_trained`, unless the task is to stop, and marks the task as trained meanwhile."""
    if (signal := StopSignals().received) is not None:
        raise Interrupted("Stopped before the model was measured", signal=signal)
    before()
    _measuring.add(key)
    try:
        return on_trained(fitted)
    finally:
        _measuring.discard(key)


def _send_run(key: str, out: Path) -> None:
    """Leaves the unfinished run of a task with the scheduler, in place of the one before."""
    with contextlib.suppress(Exception):  # of any kind: the training does not depend on it
        Variable(key, client=get_client()).set(pack(out))


def newest_run(key: str, client: Client) -> bytes:
    """The unfinished run of a task that a worker has sent; empty where there is none."""
    with contextlib.suppress(TimeoutError):
        archive: bytes = Variable(key, client=client).get(timeout=0)
        return archive
    return b""


def forget(key: str, client: Client) -> None:
    """Deletes the unfinished run of a task from the memory of the scheduler."""
    Variable(key, client=client).delete()


def _outcome(task: Task, out: Path, callbacks: Mapping[str, Callable[..., Any]]) -> TaskResult:
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
            callbacks.get("on_validation"),
        )
        return TaskResult(value=train_job(job, callbacks.get("on_trained")))
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

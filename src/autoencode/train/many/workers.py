"""Worker processes: each is kept and takes the next task when it is free."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from autoencode.errors import (
    AutoencodeError,
    Interrupted,
    ResourceError,
    RunError,
    is_disk_full,
    is_out_of_memory,
)
from autoencode.io.signals import StopSignals

# Seconds between two checks of signals and progress.
POLL_SECONDS = 0.2
# Exit code of a process whose script starts processes while it is imported.
UNGUARDED = 77


class Message(NamedTuple):
    """A message of a worker about its task, or its end."""

    kind: Literal["ready", "warning", "done", "failed", "fault", "stopped", "died"]
    content: Any = None

    @property
    def last(self) -> bool:
        """Whether it is the last message of the worker."""
        return self.kind in ("stopped", "died")


@dataclass(frozen=True)
class Ended:
    """What became of a task.

    value: what the work returned.   error: why it returned nothing; None where it did.
    """

    value: Any = None
    error: AutoencodeError | None = None


@dataclass
class Worker:
    """A process, and the position of the task that it has."""

    process: BaseProcess
    connection: Connection
    task: int


class Fault(RuntimeError):
    """An error of this program in another process, with the traceback from there."""


def run_in_processes(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    count: int,
    *,
    scratch: Path,
    on_end: Callable[[int, Ended], None],
    on_warning: Callable[[int, str], None],
    refresh: Callable[[], None],
) -> int | None:
    """Does tasks in at most `count` processes, one thread each; returns the signal that stopped it.

    On Ctrl-C or SIGTERM each process gets SIGTERM and is waited for; at a second signal they are
    killed. When this process dies they end as well.

    work: is pickled, as are the tasks and its results; an `AutoencodeError` ends its task only.
    scratch: a folder that is deleted if this process dies.
    on_end, on_warning: are called with the position of a task.
    refresh: is called a few times a second.

    Raises:
        Fault: an error of this program in one of them, after the other tasks have ended.
        RunError: the script that calls it starts processes when it is imported.
    """
    _refuse_while_importing()
    queue = deque(range(len(tasks)))
    workers: list[Worker] = []
    faults: list[str] = []
    stopping = False
    with StopSignals() as signals:
        try:
            while queue or workers:
                if signals.received and not stopping:
                    stopping = True
                    queue.clear()
                    for worker in workers:
                        worker.process.terminate()
                while queue and len(workers) < count:
                    workers.append(_start(work, queue.popleft(), scratch))
                refresh()
                for worker in _with_message(workers):
                    message = _receive(worker)
                    if message.kind == "warning":
                        on_warning(worker.task, message.content)
                        continue
                    if message.kind == "ready":
                        _send_task(worker, tasks)
                        continue
                    if message.kind == "fault":
                        faults.append(message.content)
                    elif not (stopping and message.last):
                        on_end(worker.task, _ended(message))
                    if queue and not message.last:
                        worker.task = queue.popleft()
                        _send_task(worker, tasks)
                    else:
                        workers.remove(worker)
                        _close(worker)
        finally:
            for worker in workers:  # only where something was raised
                worker.process.kill()
                _close(worker)
    if faults:
        raise Fault("\n".join(faults))
    return signals.received


def _refuse_while_importing() -> None:
    """A script without a guard is executed by each process that it starts: it would start more."""
    main = sys.modules.get("__mp_main__")
    if main is not None and main is not sys.modules["__main__"]:
        sys.exit(UNGUARDED)


def _start(work: Callable[[Any], Any], task: int, scratch: Path) -> Worker:
    # A forked process would hang in the threads of its parent.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, scratch))
    with _signals_blocked():
        process.start()
    theirs.close()
    return Worker(process, ours, task)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process that is started here receives no signal before it has installed its handlers."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, StopSignals.WATCHED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _with_message(workers: Sequence[Worker]) -> list[Worker]:
    """The workers that sent a message or died."""
    found = wait([worker.connection for worker in workers], POLL_SECONDS)
    return [worker for worker in workers if worker.connection in found]


def _send_task(worker: Worker, tasks: Sequence[Any]) -> None:
    with suppress(OSError):  # it died, which the next message shows
        worker.connection.send(tasks[worker.task])


def _receive(worker: Worker) -> Message:
    try:
        message: Message = worker.connection.recv()
        return message
    except (EOFError, OSError):
        worker.process.join()
    if worker.process.exitcode == UNGUARDED:
        raise RunError(
            "Every worker process imports the script, which starts trainings when it is imported",
            'Put the call under: if __name__ == "__main__":',
        )
    return Message("died", worker.process.exitcode)


def _ended(message: Message) -> Ended:
    if message.kind == "done":
        return Ended(value=message.content)
    if message.kind == "failed":
        return Ended(error=message.content)
    how = "was ended by another program"
    if message.kind == "died":
        code = message.content
        how = f"ended with exit code {code}"
        if code < 0:
            why = ", as happens when memory runs out" if code == -signal.SIGKILL else ""
            how = f"was ended by {signal.Signals(-code).name}{why}"
    return Ended(
        error=ResourceError(
            f"The process of this training {how}; its last checkpoint is intact",
            "Give the same again to continue.",
        )
    )


def _close(worker: Worker) -> None:
    worker.connection.close()
    worker.process.join()
    worker.process.close()


def _serve(connection: Connection, work: Callable[[Any], Any], scratch: Path) -> None:
    """The life of a process: one task after the other, until the parent is gone."""
    _arrange(scratch)
    # Bars and messages of several processes would overwrite each other.
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    warnings.showwarning = lambda message, *_, **__: connection.send(
        Message("warning", str(message))
    )
    with suppress(EOFError, OSError, KeyboardInterrupt):
        _unblock()
        connection.send(Message("ready"))
        while True:
            message = _answer(work, connection.recv())
            connection.send(message)
            if message.kind == "stopped":
                return


def _arrange(scratch: Path) -> None:
    torch.set_num_threads(1)
    # The terminal's Ctrl-C is for the parent, which then sends SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_follow_parent, args=(scratch,), daemon=True).start()


def _unblock() -> None:
    """Lets signals through that came while this process was starting."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, StopSignals.WATCHED)


def _follow_parent(scratch: Path) -> None:
    """Ends this process, as by SIGTERM, when its parent dies."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(scratch, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


def _answer(work: Callable[[Any], Any], task: Any) -> Message:
    try:
        return Message("done", work(task))
    except (Interrupted, KeyboardInterrupt):
        return Message("stopped")
    except AutoencodeError as error:
        return Message("failed", error)
    except OSError as error:
        what = f"{error.filename or 'A file'} cannot be read or written: {error.strerror}"
        return Message("failed", (ResourceError if is_disk_full(error) else RunError)(what))
    except Exception as error:
        if is_out_of_memory(error):
            return Message("failed", ResourceError("Memory ran out", "Use fewer workers."))
        return Message("fault", traceback.format_exc())

"""Processes beside each other: each is kept and takes the next task when it is free."""

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

# Seconds between two looks at signals and progress.
PAUSE = 0.2
# With what a process leaves whose script would start processes while it is being imported.
UNGUARDED = 77


class Message(NamedTuple):
    """What a worker says of itself or of its task, or what its silence means."""

    kind: Literal["ready", "warning", "done", "failed", "fault", "stopped", "died"]
    content: Any = None

    @property
    def last(self) -> bool:
        """Whether nothing comes after it."""
        return self.kind in ("stopped", "died")


@dataclass(frozen=True)
class Ended:
    """What became of a task.

    value: what the work gave.   error: why it gave nothing; None where it did, or was stopped.
    """

    value: Any = None
    error: AutoencodeError | None = None


@dataclass
class Worker:
    """A process and the task that it has, by its position; it is told when it is ready."""

    process: BaseProcess
    connection: Connection
    task: int


class Fault(RuntimeError):
    """A mistake of this program in another process, with the traceback from there."""


def side_by_side(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    count: int,
    *,
    scratch: Path,
    ended: Callable[[int, Ended], None],
    warned: Callable[[int, str], None],
    look: Callable[[], None],
) -> int | None:
    """Does tasks in at most `count` processes, one thread each; gives the signal that stopped it.

    On Ctrl-C or SIGTERM each process is told to stop, as by a signal of its own, and is waited
    for; at a second one they are ended at once. When this process dies they end as well.

    work: is pickled, as tasks and what it gives are; an `AutoencodeError` ends its task only.
    scratch: a folder that is taken away if this process dies.
    ended, warned: are told of a task by its position.   look: is called a few times a second.

    Raises:
        Fault: a mistake of this program in one of them, after the other tasks have ended.
        RunError: it is called by a script that starts processes when it is imported.
    """
    _refuse_while_importing()
    queue = deque(range(len(tasks)))
    workers: list[Worker] = []
    faults: list[str] = []
    told = False
    with StopSignals() as signals:
        try:
            while queue or workers:
                if signals.received and not told:
                    told = True
                    queue.clear()
                    for worker in workers:
                        worker.process.terminate()
                while queue and len(workers) < count:
                    workers.append(_start(work, queue.popleft(), scratch))
                look()
                for worker in _heard(workers):
                    message = _receive(worker)
                    if message.kind == "warning":
                        warned(worker.task, message.content)
                        continue
                    if message.kind == "ready":
                        _give(worker, tasks)
                        continue
                    if message.kind == "fault":
                        faults.append(message.content)
                    elif not (told and message.last):
                        ended(worker.task, _ended(message))
                    if queue and not message.last:
                        worker.task = queue.popleft()
                        _give(worker, tasks)
                    else:
                        workers.remove(worker)
                        _part(worker)
        finally:
            for worker in workers:  # only where something was raised
                worker.process.kill()
                _part(worker)
    if faults:
        raise Fault("\n".join(faults))
    return signals.received


def _refuse_while_importing() -> None:
    """A script without a guard is executed by each process that it starts, and would start more."""
    main = sys.modules.get("__mp_main__")
    if main is not None and main is not sys.modules["__main__"]:
        sys.exit(UNGUARDED)


def _start(work: Callable[[Any], Any], task: int, scratch: Path) -> Worker:
    # A forked process would hang in the threads of its parent.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, scratch))
    with _held_back():
        process.start()
    theirs.close()
    return Worker(process, ours, task)


@contextmanager
def _held_back() -> Iterator[None]:
    """A process that is started here gets no signal before it has said what to do with it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, StopSignals.WATCHED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heard(workers: Sequence[Worker]) -> list[Worker]:
    """Those that have something to say, or have died."""
    found = wait([worker.connection for worker in workers], PAUSE)
    return [worker for worker in workers if worker.connection in found]


def _give(worker: Worker, tasks: Sequence[Any]) -> None:
    with suppress(OSError):  # it has died, which shows when it is listened to
        worker.connection.send(tasks[worker.task])


def _receive(worker: Worker) -> Message:
    try:
        message: Message = worker.connection.recv()
        return message
    except (EOFError, OSError):
        worker.process.join()
    if worker.process.exitcode == UNGUARDED:
        raise RunError(
            "Several runs are trained by processes of their own, and each of them would begin by "
            "training them all, as the script does so when it is imported",
            'Put what it does under: if __name__ == "__main__":',
        )
    return Message("died", worker.process.exitcode)


def _ended(message: Message) -> Ended:
    if message.kind == "done":
        return Ended(value=message.content)
    if message.kind == "failed":
        return Ended(error=message.content)
    how = "was asked to end by another program"
    if message.kind == "died":
        code = message.content
        how = f"ended with exit code {code}"
        if code < 0:
            why = ", as happens when memory runs out" if code == -signal.SIGKILL else ""
            how = f"was ended by {signal.Signals(-code).name}{why}"
    return Ended(
        error=ResourceError(
            f"The process that it was trained in {how}; what was saved before is intact",
            "Give the same again to go on.",
        )
    )


def _part(worker: Worker) -> None:
    worker.connection.close()
    worker.process.join()
    worker.process.close()


def _serve(connection: Connection, work: Callable[[Any], Any], scratch: Path) -> None:
    """What a process does: one task after the other, until there is no one to give them."""
    _arrange(scratch)
    # A bar or a word of each would be in the way of the others'.
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
    # The terminal's Ctrl-C is for the process that gives the tasks, which then says SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_follow_parent, args=(scratch,), daemon=True).start()


def _unblock() -> None:
    """Signals that came while this process was starting arrive now."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, StopSignals.WATCHED)


def _follow_parent(scratch: Path) -> None:
    """Ends this process, as by SIGTERM, when the one that started it dies."""
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
            return Message("failed", ResourceError("Memory ran out", "Train fewer at once."))
        return Message("fault", traceback.format_exc())

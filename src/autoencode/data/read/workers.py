"""Tasks in processes, a few of them ahead, with their results in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

from autoencode.errors import ResourceError
from autoencode.io.files import reason
from autoencode.io.progress import say

WORKERS = min(4, os.cpu_count() or 1)
R = TypeVar("R")

# In a worker process, what does a task; the process is forked with it.
_work: Callable[[int], Any] | None = None


def in_a_worker() -> bool:
    """Whether this is a process of `Workers`."""
    return _work is not None


class Workers(Generic[R]):
    """Processes that begin at once with tasks 0, 1, … and of which the results come in order.

    work: what does task i. The processes are forked, so it needs not be pickled; its results are.
    n: number of tasks.   what: they do, as in "reading images".
    ahead: number of tasks whose results may wait, at least two for each process.
    """

    def __init__(self, work: Callable[[int], R], n: int, what: str, ahead: int = 0) -> None:
        self.what = what
        self._waiting = iter(range(n))
        self._results: deque[Future[R]] = deque()
        self._pool = ProcessPoolExecutor(
            WORKERS, multiprocessing.get_context("fork"), initializer=_begin, initargs=(work,)
        )
        for _ in range(max(ahead, 2 * WORKERS)):
            self._submit()

    def _submit(self) -> None:
        for i in self._waiting:
            self._results.append(self._pool.submit(_task, i))
            return

    def __iter__(self) -> Iterator[R]:
        """The results; the processes end with them.

        Raises:
            ResourceError: a process was killed, which is usual when memory runs out.
        """
        try:
            while self._results:
                result = self._results.popleft().result()
                self._submit()
                yield result
        except BrokenProcessPool as error:
            raise ResourceError(
                f"A process that was {self.what} was killed, which is usual when memory runs out",
                "Close other programs, or give fewer images.",
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """End the processes; the tasks that they are at are finished before."""
        self._pool.shutdown(cancel_futures=True)


def _begin(work: Callable[[int], Any]) -> None:
    global _work
    _work = work
    # The terminal's Ctrl-C is for the parent, which then ends these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when its parent does, also when that is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _task(i: int) -> Any:
    assert _work is not None  # see `_begin`
    return _work(i)


def can_start(what: str) -> bool:
    """Whether processes can be forked here, with room for their pipes and semaphores; says if not.

    Semaphores are files in /dev/shm, which is small in containers and may be full.
    """
    # A worker of a cluster is a daemon, which may have no children.
    if not hasattr(os, "fork") or multiprocessing.current_process().daemon:
        return False
    with ExitStack() as queues:
        try:
            for _ in range(2 * WORKERS + 2):  # more than a pool uses
                queue = multiprocessing.get_context("fork").SimpleQueue()
                queues.callback(queue.close)
        except OSError as error:
            why = f"worker processes cannot be started: {reason(error)}"
            say(f"{what} in one process, because {why}")
            return False
    return True

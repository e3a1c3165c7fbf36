"""The jobs of one call on the workers of a cluster: sent as workers are free, and collected."""

from __future__ import annotations

import os
import platform
import re
import signal
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from distributed import CancelledError, Future, KilledWorker, WorkerPlugin, wait

from autoencode.errors import ResourceError, RunError
from autoencode.io.folders import sweep
from autoencode.io.progress import say
from autoencode.io.store import writing
from autoencode.parts.networks.custom import is_custom, network_file
from autoencode.scale.callbacks import dumped
from autoencode.scale.jobs import Job, existing_run
from autoencode.scale.sent import SentData
from autoencode.scale.shared import scratch_folder, share
from autoencode.scale.worker import (
    Task,
    TaskResult,
    forget,
    newest_run,
    pack,
    stop,
    train,
    unpack,
)
from autoencode.train.session import FitResult

if TYPE_CHECKING:
    from distributed import Client


class Dispatch:
    """Sends jobs to the workers of a cluster and collects the answers."""

    def __init__(
        self,
        client: Client,
        jobs: Sequence[Job],
        on_trained: Callable[[FitResult], Any] | None,
    ) -> None:
        """Raises RunError: a callback cannot be sent to other processes."""
        self.client, self.jobs = client, jobs
        self.call = uuid.uuid4().hex
        self.queue = deque(range(len(jobs)))
        self.running: dict[Future[TaskResult], int] = {}
        # Whether there are workers that do not see the file system of this process.
        self.sent = False
        self.waits = False  # whether it was said that there are no workers
        self.stops = False  # whether the trainings are to end
        self._numbers = count()  # of what is sent, as a job may be sent again
        self.callbacks = [
            dumped(on_validation=job.on_validation, on_trained=on_trained) for job in jobs
        ]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self.scratch = scratch = Path(self._stack.enter_context(scratch_folder()))
            distinct = {id(job.data): job.data for job in self.jobs}
            self.shared = {
                key: share(data, scratch / str(place))
                for place, (key, data) in enumerate(distinct.items())
            }
            self.marks = {job.out.parent: self._mark(job.out.parent) for job in self.jobs}
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception), self._stack:  # the cluster may be lost
            self._leave(list(self.running))

    @property
    def busy(self) -> bool:
        """Whether there are jobs that have no answer."""
        return bool(self.queue or self.running)

    def stop(self, number: int) -> None:
        """Asks the running trainings to save and end; no others are begun.

        Those that are trained and being measured are not waited for. It is called again and again:
        a worker may have been started in the meantime.
        """
        self.stops = True
        self.queue.clear()
        with suppress(OSError):  # a worker has just ended
            found = self.client.run(stop, self.call, number, on_error="ignore").values()
            trained = {key for keys in found for key in keys}
            self._leave([each for each in self.running if each.key in trained and not each.done()])
        if not self._addresses():  # nobody is there to answer
            self._leave(list(self.running))

    def answers(self, seconds: float) -> Iterator[tuple[int, TaskResult]]:
        """Sends jobs to free workers; the answers that come in this time, with their jobs.

        Raises:
            RunError: the cluster is lost, or its workers cannot load a callback.
        """
        while self.queue and len(self.running) < self._workers():
            position = self.queue.popleft()
            key = f"{self.call}-{next(self._numbers)}"
            future = self.client.submit(train, self._task(position), key=key, pure=False)
            self.running[future] = position
        try:
            with suppress(TimeoutError), self.client.as_current():
                wait(list(self.running), timeout=seconds, return_when="FIRST_COMPLETED")
        except CancelledError as error:  # all of them are, where the scheduler is gone
            raise lost(self.client) from error
        if self.client.status != "running":
            raise lost(self.client)
        for future in [each for each in self.running if each.done()]:
            position = self.running.pop(future)
            answer = self._answer(future)
            if answer.refused and answer.error is not None:
                raise answer.error
            if answer.unseen:
                self._send()
                self.queue.appendleft(position)
                continue
            if self.sent:
                finished = future.status == "finished"
                self._keep(future, position, answer.run if finished else None)
            if answer.stopped and not self.stops:  # its worker is closed: it goes on in another one
                self.queue.append(position)
                continue
            yield position, answer

    def _keep(self, future: Future[TaskResult], position: int, run: bytes | None) -> None:
        """Writes a run that was trained elsewhere; None takes what its worker has sent so far."""
        key, out = str(future.key), self.jobs[position].out
        if run := newest_run(key, self.client) if run is None else run:
            with writing(out):
                unpack(run, out)
        forget(key, self.client)

    def _leave(self, futures: Sequence[Future[TaskResult]]) -> None:
        """Waits for these no more; what was sent of their runs is kept."""
        for future in futures:
            position = self.running.pop(future)
            if self.sent:
                self._keep(future, position, None)
        self.client.cancel(futures)

    def _answer(self, future: Future[TaskResult]) -> TaskResult:
        if future.status == "finished":
            answer: TaskResult = future.result()
            return answer
        error = future.exception() if future.status == "error" else None
        if isinstance(error, KilledWorker):
            return TaskResult(
                error=ResourceError(
                    "The process of this training was ended by the system or by another program, "
                    "each time it was begun, as happens when memory runs out; its last checkpoint "
                    "is intact",
                    "Give the same again to continue.",
                )
            )
        if error is None:
            raise lost(self.client)
        return TaskResult(fault=f"{type(error).__name__}: {error}", error=RunError(str(error)))

    def _workers(self) -> int:
        """The workers that there are now; at least one, for which the first job waits."""
        count = len(self._addresses())
        if count == 0 and not self.waits:
            self.waits = True
            say("waiting for workers of the cluster: none is there (dask worker ADDRESS)")
        return max(1, count)

    def _addresses(self) -> list[str]:
        return list(self.client.scheduler_info(n_workers=-1)["workers"])

    def _send(self) -> None:
        """Sends the data to all workers that do not see them, also to those that come later."""
        if self.sent:
            return
        self.sent = True
        files = [path for each in self.shared.values() for path in each.files]
        content = {str(path): path.read_bytes() for path in files}
        self.client.register_plugin(SentData(self.scratch, content), name=self.call)
        self._stack.callback(self.client.unregister_worker_plugin, self.call)

    def _mark(self, folder: Path) -> Path:
        """A file in the folder of runs, for as long as the call lasts."""
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Those that killed processes left are removed.
            prefix = f".autoencode-{platform.node()}-"
            sweep(folder, re.compile(rf"{re.escape(prefix)}(\d{{1,9}})-\w+"))
            path = folder.absolute() / f"{prefix}{os.getpid()}-{self.call}"
            path.touch()
        self._stack.callback(path.unlink, missing_ok=True)
        return path

    def _task(self, position: int) -> Task:
        job = self.jobs[position]
        task = Task(
            self.call,
            job.recipe.to_dict(),
            self.shared[id(job.data)],
            job.out.absolute(),
            self.marks[job.out.parent],
            job.settings,
            job.overwrite,
            self.callbacks[position],
            command=tuple(sys.argv),
        )
        if not self.sent:
            return task
        task = replace(task, sent=True)
        kind = job.recipe.network.kind
        if is_custom(kind):
            file, _ = network_file(kind)
            task = replace(task, network=(kind.rpartition(".py")[0] + ".py", file.read_bytes()))
        if existing_run(job) is not None:
            task = replace(task, run=pack(job.out))
        return task


class DeafToCtrlC(WorkerPlugin):
    """Lets a worker ignore Ctrl-C, which a terminal sends to all its processes."""

    def setup(self, worker: Any) -> None:
        """Called in the main thread of a worker."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def lost(client: Client) -> RunError:
    """The error for a cluster that does not answer any more."""
    return RunError(
        f"The cluster at {client.scheduler.addr if client.scheduler else 'its address'} was lost",
        "Runs are saved up to their last checkpoints. When it is back, give the same again to "
        "continue.",
    )

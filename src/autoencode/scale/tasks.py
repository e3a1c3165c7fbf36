"""Independent tasks on the workers of a cluster, with a bar, until all are done or stopped."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from autoencode.errors import AutoencodeError, Interrupted, ResourceError, RunError
from autoencode.io.progress import Bar
from autoencode.io.signals import StopSignals

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
R = TypeVar("R")
POLL_SECONDS = 0.2


def run_tasks(
    client: Client,
    function: Callable[[T], R],
    tasks: Sequence[T],
    on_answer: Callable[[T, R], None],
    what: str,
    before: int = 0,
) -> None:
    """Calls a function with each task on a worker, in one thread, and hands its answers on.

    function: can be pickled, and called again: a worker may die.
    what: title of the bar.   before: the number of tasks that were done earlier.

    Raises:
        RunError: the cluster is lost.   AutoencodeError: what a task raises.
        ResourceError: a task ends each process that begins it.
        Interrupted: Ctrl-C or SIGTERM; what was handed on stays.
    """
    from distributed import CancelledError, wait

    from autoencode.scale.dispatch import lost

    # As a task of its own it is sent to each worker once, and made again where a worker is lost.
    with warnings.catch_warnings():
        # It may hold a model; a copy in the memory of one worker would be lost with that worker.
        warnings.filterwarnings("ignore", "Sending large graph")
        shared = client.submit(_same, function, pure=False)
    futures = {client.submit(_called, shared, task, pure=False): task for task in tasks}
    total = before + len(tasks)
    with Bar(what, total) as bar, StopSignals() as signals:
        bar.update(before)
        while futures:
            if signals.received is not None:
                client.cancel(list(futures))
                raise Interrupted(
                    f"Stopped with {total - len(futures)} of {total} done",
                    "Give the same again to go on.",
                    signal=signals.received,
                )
            try:
                with client.as_current():
                    wait(list(futures), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            except TimeoutError:
                continue
            except CancelledError as error:
                raise lost(client) from error
            for future in [each for each in futures if each.done()]:
                on_answer(futures.pop(future), _answer(client, future))
                bar.update(1)


def _answer(client: Client, future: Future[R]) -> R:
    from distributed import KilledWorker

    from autoencode.scale.dispatch import lost

    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        raise ResourceError(
            "A process of the cluster was ended each time it began one of the tasks, as happens "
            "when memory runs out",
            "Use fewer workers, and give the same again: what is done stays.",
        )
    if error is not None:
        raise error if isinstance(error, AutoencodeError) else RunError(str(error))
    if future.status != "finished":
        raise lost(client)
    answer: R = future.result()
    return answer


def _same(function: Callable[[T], R]) -> Callable[[T], R]:
    return function


def _called(function: Callable[[T], R], task: T) -> R:
    import torch

    torch.set_num_threads(1)
    return function(task)


def require_seen(place: Path | str, seen: bool | None = None) -> None:
    """Raises RunError: this worker does not see a file or folder of the client.

    seen: whether it does, where `place` is no path.
    """
    if not (Path(place).exists() if seen is None else seen):
        raise RunError(
            f"A worker of the cluster does not see {place}",
            "All hosts need it under the same name, on a file system that they share.",
        )

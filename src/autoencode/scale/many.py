"""Many trainings: on worker processes of this computer or of a cluster, or one after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from autoencode.errors import AutoencodeError, Interrupted, RunError
from autoencode.io.processes import by_torchrun
from autoencode.io.signals import StopSignals
from autoencode.scale.jobs import (
    Job,
    Outcome,
    check_folders,
    default_workers,
    existing_run,
    train_job,
)
from autoencode.train.progress import RunsBar
from autoencode.train.session import FitResult

if TYPE_CHECKING:
    from distributed import Client


# Seconds between two looks at signals, progress and the workers of a cluster.
POLL_SECONDS = 0.2


class Fault(RuntimeError):
    """An error of this program in another process, with the traceback from there."""


def fit_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
    retries: int = 2,
    on_trained: Callable[[FitResult], Any] | None = None,
    on_finished: Callable[[Outcome], None] | None = None,
    progress: bool | None = None,
) -> list[Outcome]:
    """Trains many models, each as `fit` would alone; returns an outcome for each job, in order.

    On a processor with several cores the trainings run in parallel, one thread each, in worker
    processes of Dask that are kept from one job to the next: the weights are bit for bit those that
    `fit` gives with one thread. On an accelerator, and with `workers=1`, they run in this process
    one after another. All processes of a computer share one copy of the data in memory.

    A folder that holds this very training is taken as it is if it is done, and resumed if it was
    interrupted: the same call continues where it was stopped. A training that fails leaves the
    others alone. If a worker dies, its training goes on from its last checkpoint in another one.

    A script calls this under `if __name__ == "__main__":`, since every worker of this computer
    imports the script.

    jobs: what is trained, and into which folders.
    workers: number of worker processes; None is one for each core of a processor.
    cluster: the address of a Dask scheduler, "tcp://HOST:8786", or a client of one, instead of
        processes of this computer; each of its workers does one training at a time. Workers that do
        not see the folders of the jobs send the runs back.
    retries: how often a training is begun or continued after its worker has died. A cluster has a
        setting of its own instead, `distributed.scheduler.allowed-failures`.
    on_trained: called with each trained model in the process that trained it, for instance to
        measure it; its result becomes `Outcome.result`.
    on_finished: called in this process with each outcome as it comes.
    progress: as of `fit`.

    Raises:
        RecipeError: settings without meaning.
        RunError: a folder is given twice or holds something else, or torchrun started this process
            and others, all before anything is trained; the cluster cannot be reached, or is lost.
        Interrupted: Ctrl-C or SIGTERM, after every run that was trained has been saved.

    >>> import autoencode as ae
    >>> data = ae.load_data("digits")
    >>> settings = [{"steps": 5, "seed": seed} for seed in range(2)]
    >>> jobs = [ae.Job(ae.RECIPES["ae"], data, f"runs/{s['seed']}", s) for s in settings]
    >>> [outcome.run.status for outcome in ae.fit_many(jobs, workers=1)]
    ['done', 'done']
    """
    if by_torchrun():
        raise RunError(
            "torchrun started several processes, and each of them would train all models",
            "Start the script without torchrun, and give workers=.",
        )
    check_folders(jobs)
    found: dict[int, Outcome] = {}

    def finished(position: int, value: Any, error: AutoencodeError | None) -> None:
        job = jobs[position]
        run = existing_run(job)
        done = run is not None and run.status == "done"
        found[position] = Outcome(job, run if done else None, value, error)
        if on_finished is not None:
            on_finished(found[position])

    count = min(workers or default_workers(jobs), len(jobs))
    if cluster is None and count <= 1:
        signal = _one_after_another(jobs, on_trained, finished, progress)
    else:
        from autoencode.scale.cluster import connected

        with connected(cluster, count, retries) as client:
            signal = _on_workers(client, jobs, on_trained, finished, progress)
    if signal is not None and len(found) < len(jobs):
        runs = {place: existing_run(job) for place, job in enumerate(jobs)}
        done = [place for place, run in runs.items() if run is not None and run.status == "done"]
        left = sum(place not in found for place in done) if on_trained is not None else 0
        raise Interrupted(
            f"Stopped with {len(done)} of {len(jobs)} trainings done"
            + (f", {left} of them not measured" if left else "")
            + "; everything is saved",
            "Give the same again to continue.",
            signal=signal,
        )
    return [found[position] for position in range(len(jobs))]


Finished = Callable[[int, Any, AutoencodeError | None], None]


def _one_after_another(
    jobs: Sequence[Job],
    on_trained: Callable[[FitResult], Any] | None,
    finished: Finished,
    progress: bool | None,
) -> int | None:
    """Trains in this process; returns the signal that stopped it."""
    for position, job in enumerate(jobs):
        value, failed = None, None
        try:
            value = train_job(job, on_trained, progress)
        except Interrupted as interrupted:
            return interrupted.exit_code - 128
        except AutoencodeError as error:
            failed = error
        finished(position, value, failed)
    return None


def _on_workers(
    client: Client,
    jobs: Sequence[Job],
    on_trained: Callable[[FitResult], Any] | None,
    finished: Finished,
    progress: bool | None,
) -> int | None:
    """Trains on the workers of a cluster; returns the signal that stopped them."""
    from autoencode.scale.dispatch import Dispatch

    totals = [job.chosen.total_steps(len(job.data.train)) for job in jobs]
    bar = RunsBar([job.out for job in jobs], totals, progress)
    faults: list[str] = []
    with Dispatch(client, jobs, on_trained) as dispatch, bar, StopSignals() as signals:
        while dispatch.busy:
            if signals.received is not None:
                dispatch.stop(signals.received)
            for position, answer in dispatch.answers(POLL_SECONDS):
                for text in answer.warnings:
                    warnings.warn(f"{jobs[position].out}: {text}", stacklevel=3)
                if answer.fault:
                    faults.append(answer.fault)
                if not answer.stopped:
                    bar.finish(position)
                    finished(position, answer.value, answer.error)
            bar.refresh()
        signal = signals.received
    if faults:
        raise Fault("\n".join(faults))
    return signal

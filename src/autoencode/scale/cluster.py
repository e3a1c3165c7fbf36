"""The processes that do the work: a Dask cluster of this computer, or one that exists."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from signal import SIGKILL
from typing import TYPE_CHECKING, Any

import torch

from autoencode.errors import AutoencodeError, RunError
from autoencode.scale.dispatch import DeafToCtrlC
from autoencode.scale.worker import is_measuring
from autoencode.version import __version__

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

# Seconds in which a scheduler has to answer.
CONNECT_SECONDS = 10
# With Dask's own values memory is given back to the system and taken again in each step: training
# takes twice as long. So it does with the first of the last two alone, which fixes the second, the
# size from which memory is mapped, at 128 kB.
ENVIRONMENT = {
    "OMP_NUM_THREADS": 1,
    "MKL_NUM_THREADS": 1,
    "OPENBLAS_NUM_THREADS": 1,
    "MALLOC_TRIM_THRESHOLD_": 2**30,
    "MALLOC_MMAP_THRESHOLD_": 2**25,
}
# What silences Dask's log until the process ends.
_silences: list[ExitStack] = []
# Exit code of a process whose script starts processes while it is imported.
UNGUARDED = 77


@contextmanager
def connected(cluster: str | Client | None, count: int, retries: int = 2) -> Iterator[Client]:
    """A client of a cluster.

    cluster: the address of a scheduler, a client, which stays open, or None for `count` processes
        of this computer, which end with the context.

    Raises:
        RunError: there is no cluster at the address, or its workers have other versions.
    """
    ours = "distributed" not in sys.modules
    from distributed import Client
    from distributed.utils import silence_logging_cmgr

    # What Dask logs is said here in sentences. Some comes after the end; it is silenced for good
    # where nobody else has used Dask in this process.
    silence = silence_logging_cmgr(logging.CRITICAL)
    with ExitStack() as stack:
        stack.enter_context(silence)
        if ours:
            _silences.append(stack.pop_all())
        if cluster is None:
            with _local(count, retries) as client:
                yield client
        elif isinstance(cluster, Client):
            _check_versions(cluster)
            yield cluster
        else:
            client = _client(cluster)
            with _closing(client):
                _check_versions(client)
                yield client


@contextmanager
def _closing(*opened: Any) -> Iterator[None]:
    """Closes a client and its cluster; that a slow worker has to be killed is no error."""
    try:
        yield
    finally:
        for each in opened:
            with suppress(OSError):  # a timeout, or a connection that is lost
                each.close()


def _client(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"No Dask scheduler answers at {address}",
            "Start one: dask scheduler --host 127.0.0.1, and give the address that it prints, such "
            "as tcp://127.0.0.1:8786.",
        ) from error


@contextmanager
def _local(count: int, retries: int) -> Iterator[Client]:
    """Worker processes of this computer, one thread each, that only this process can reach."""
    _refuse_while_importing()
    import dask
    from distributed import Client, LocalCluster

    changes: dict[str, Any] = {
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        "distributed.scheduler.allowed-failures": retries,
        "distributed.scheduler.active-memory-manager.start": False,
        "distributed.worker.multiprocessing-method": "spawn",
        # Nobody looks at the profiles, for which threads are stopped 100 times a second.
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "500ms",
        "distributed.admin.system-monitor.interval": "5s",
    }
    with dask.config.set(changes), tempfile.TemporaryDirectory(prefix="autoencode-dask-") as folder:
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # any free port of this computer
                memory_limit=0,
                local_directory=folder,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise RunError(
                "The worker processes do not start: each imports the script, which may start "
                "trainings when it is imported",
                'Put the call under: if __name__ == "__main__":',
            ) from error
        client = Client(cluster, set_as_default=False)
        with _closing(client, cluster):
            client.register_plugin(DeafToCtrlC())
            try:
                yield client
            finally:
                with suppress(Exception):  # they end, but later
                    _end_measurements(client, cluster)


def _end_measurements(client: Client, cluster: LocalCluster) -> None:
    """Ends the processes that would be waited for: they measure models that are saved."""
    busy = client.run(is_measuring, on_error="ignore")
    for nanny in cluster.workers.values():
        if busy.get(nanny.worker_address):
            nanny.close_gracefully()  # else it starts another one
            os.kill(nanny.pid, SIGKILL)


def _refuse_while_importing() -> None:
    """A script without a guard is executed by each process that it starts: it would start more."""
    main = sys.modules.get("__mp_main__")
    if main is not None and main is not sys.modules["__main__"]:
        os._exit(UNGUARDED)
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)


def versions() -> dict[str, str]:
    """The versions on which the bits of weights depend."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "autoencode": __version__, "torch": torch.__version__}


def _check_versions(client: Client) -> None:
    """Refuses workers that would not do the same.

    Raises:
        RunError: as said.
    """
    ours = versions()
    try:
        found = client.run(versions)
        found["of the scheduler"] = client.run_on_scheduler(versions)
        for address, theirs in found.items():
            for name, here in ours.items():
                if theirs[name] != here:
                    raise RunError(
                        f"The process {address} has {name} {theirs[name]}, and here it is {here}",
                        "Install the same on all hosts of the cluster.",
                    )
    except AutoencodeError:
        raise
    except Exception as error:  # of any kind that a worker raises where something is missing
        raise RunError(
            f"The processes of the cluster cannot run autoencode: {error}",
            "Install it on all hosts: pip install autoencode.",
        ) from error

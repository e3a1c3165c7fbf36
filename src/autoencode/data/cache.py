"""The cache folder on this machine: exclusive work in it, and the errors of writing to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout

from autoencode.errors import DataError, ResourceError, is_disk_full
from autoencode.io.files import reason, shown
from autoencode.io.memory import gigabytes
from autoencode.io.progress import say

POLL_SECONDS = 0.1  # between two attempts of a process that waits for the lock
PARTIAL = ".part"  # the suffix of incomplete folders


def cache_folder() -> Path:
    """The folder of fetched and prepared data: $AUTOENCODE_CACHE, else the user's cache folder."""
    if named := os.environ.get("AUTOENCODE_CACHE"):
        return Path(named).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("autoencode"))


@contextmanager
def exclusive_folder(root: Path, name: str, doing: str) -> Iterator[Path]:
    """A new folder in `root` for one process at a time; it is removed at the end.

    While another process has the lock of this `name`, this one waits and prints once what the
    other process is `doing`. The operating system releases the lock of a killed process, and the
    next process removes its folder.

    Raises:
        DataError: the cache folder cannot be used.
    """
    with ExitStack() as stack:
        with cache_errors(name, root):
            root.mkdir(parents=True, exist_ok=True)
            lock = FileLock(root / f".{name}.lock", poll_interval=POLL_SECONDS)
            try:
                stack.enter_context(lock.acquire(timeout=0))
            except Timeout:
                say(f"waiting for another process, which is {doing}")
                stack.enter_context(lock.acquire())
            for stale in root.glob(f".{name}-*{PARTIAL}"):
                shutil.rmtree(stale, ignore_errors=True)
            temporary = TemporaryDirectory(prefix=f".{name}-", suffix=PARTIAL, dir=root)
            folder = Path(stack.enter_context(temporary))
        yield folder


@contextmanager
def cache_errors(what: str, folder: Path) -> Iterator[None]:
    """Replace the system's errors of writing `what` to a cache folder by errors with a remedy.

    Raises:
        ResourceError: the disk is full.
        DataError: the folder cannot be used.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(what, folder) from error
        raise DataError(
            f"The cache {shown(folder)} cannot be used: {reason(error)}",
            "Set AUTOENCODE_CACHE to a folder that can be written.",
        ) from error


def disk_full(what: str, folder: Path) -> ResourceError:
    """The error that `what` does not fit on the disk of a folder."""
    free = gigabytes(shutil.disk_usage(folder).free)
    return ResourceError(
        f"The disk is full: there is no room for {what} in {shown(folder)}, where {free} are free",
        "Make room, or set AUTOENCODE_CACHE to a folder elsewhere.",
    )

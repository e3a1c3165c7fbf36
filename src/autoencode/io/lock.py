"""Lock files, so that only one process at a time does a piece of work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from autoencode.errors import AutoencodeError
from autoencode.io.progress import say

POLL_SECONDS = 0.1  # between two attempts of a process that waits


@contextmanager
def locked(
    path: Path, *, doing: str = "", refusal: AutoencodeError | None = None
) -> Iterator[None]:
    """Hold the lock file `path` while the block runs.

    The operating system releases the lock when the process ends, even when it is killed; the file
    itself may remain. A symbolic link at `path` is not followed. While another process holds the
    lock, this one raises `refusal`, or, without one, waits and prints once what the other process
    is `doing`.

    Raises:
        AutoencodeError: `refusal`, when another process holds the lock.
        OSError: the file cannot be created or opened, or is a symbolic link.
    """
    lock = FileLock(path, poll_interval=POLL_SECONDS)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if refusal is not None:
            raise refusal from None
        say(f"waiting for another process, which is {doing}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

"""A lock on what only one process of the machine may do at a time."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from autoencode.io.progress import say


@contextmanager
def locked(path: Path, doing: str) -> Iterator[None]:
    """Hold a lock that ends with the process, however that ends; `doing` tells those who wait."""
    with path.open("w") as file:
        told = False
        while not _try_lock(file):
            if not told:
                say(f"waiting for another process, which is {doing}")
                told = True
            time.sleep(0.1)
        yield


def _try_lock(file: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True

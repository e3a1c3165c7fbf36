"""Data on hosts that do not see those of the client: one copy each, for as long as it is used."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from distributed import WorkerPlugin

# The workers that use a folder lock this file in it. Where it is missing, the client is here.
LOCK = "sent.lock"


class SentData(WorkerPlugin):
    """Writes shared data where a worker does not see them; also in workers that come later.

    Each worker locks the folder until it ends, however it ends. The last one deletes it.
    """

    idempotent = True

    def __init__(self, folder: Path, content: dict[str, bytes]) -> None:
        self.folder, self.content = folder, content
        self._lock: IO[bytes] | None = None

    def setup(self, worker: Any) -> None:
        """Writes the files, once on each host."""
        paths = [Path(name) for name in self.content]
        if (self.folder / LOCK).exists() or not all(path.exists() for path in paths):
            _delete_abandoned(self.folder.parent)
            self._lock = _held(self.folder)
            for path in paths:
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    temporary = path.with_name(f"{path.name}-{uuid.uuid4().hex}")
                    temporary.write_bytes(self.content[str(path)])
                    temporary.replace(path)
        self.content = {}  # it would fill the memory of each worker

    def teardown(self, worker: Any) -> None:
        """Deletes the files if no other worker of this host uses them."""
        if self._lock is not None:
            with self._lock:
                _delete_unused(self.folder, self._lock)


def _held(folder: Path) -> IO[bytes]:
    """The lock of a folder, shared with other processes, which release it by closing the file."""
    from fcntl import LOCK_SH, flock

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # it was deleted at this moment
            lock = (folder / LOCK).open("wb")
            flock(lock, LOCK_SH)
            if _is_of(folder, lock):
                return lock
            lock.close()


def _is_of(folder: Path, lock: IO[bytes]) -> bool:
    """Whether an open file is still the lock of a folder, which may be deleted or a new one."""
    with suppress(FileNotFoundError):
        return os.path.samestat((folder / LOCK).stat(), os.fstat(lock.fileno()))
    return False


def _delete_unused(folder: Path, lock: IO[bytes]) -> None:
    """Deletes a folder if no other process holds its lock; this one gives it up."""
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock

    # First all give it up: of two that end together, one could see the other, and the reverse.
    flock(lock, LOCK_UN)
    with suppress(BlockingIOError):
        flock(lock, LOCK_EX | LOCK_NB)
        if _is_of(folder, lock):
            # A worker that begins now finds no half of it.
            gone = folder.rename(folder.with_name(f"{folder.name}-{uuid.uuid4().hex}"))
            shutil.rmtree(gone, ignore_errors=True)


def _delete_abandoned(folder: Path) -> None:
    """Deletes the data of workers that were all killed."""
    for path in folder.glob(f"autoencode-*/{LOCK}"):
        with suppress(OSError), path.open("r+b") as lock:
            _delete_unused(path.parent, lock)

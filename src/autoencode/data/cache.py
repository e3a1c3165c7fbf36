"""The cache folder on this machine, and the errors of writing to it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoencode.errors import DataError, ResourceError, is_disk_full
from autoencode.io.files import reason, shown
from autoencode.io.memory import gigabytes


def cache_folder() -> Path:
    """The folder of fetched and prepared data: $AUTOENCODE_CACHE, else the user's cache folder."""
    if named := os.environ.get("AUTOENCODE_CACHE"):
        return Path(named).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("autoencode"))


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

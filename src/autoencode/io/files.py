"""Opening what a user names: nothing that can hang, and names that can always be printed."""

from __future__ import annotations

import os
import stat
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import IO

from autoencode.errors import DataError


def shown(path: str | Path) -> str:
    r"""A path fit for one line of text: odd bytes and line breaks as escapes.

    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    text = os.fsencode(os.fspath(path)).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Unusable(Exception):
    """A file that cannot be used; the text is the reason, without the path."""


def opened(path: str | Path) -> BufferedReader:
    """Open a regular file for reading; a pipe or device is refused before it can block.

    Raises:
        Unusable: what is there instead.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(path, flags)
    except OSError as error:
        raise Unusable(reason(error)) from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Unusable("it is no regular file")
    return os.fdopen(number, "rb")


def filled(file: IO[bytes] | GzipFile, size: int) -> bytearray:
    """The next `size` bytes of a file, or fewer where it ends; never held twice."""
    content = bytearray(size)
    view, done = memoryview(content), 0
    while done < size:
        count = file.readinto(view[done : done + 2**24])  # type: ignore[union-attr]
        if not count:
            break
        done += count
    view.release()
    del content[done:]
    return content


def open_regular(path: str | Path) -> BufferedReader:
    """As `opened`, for a file that the user named.

    Raises:
        DataError: naming the path and what is there instead.
    """
    try:
        return opened(path)
    except Unusable as error:
        raise DataError(f"{shown(path)} cannot be read: {error}") from error


def reason(error: OSError) -> str:
    """Why a file could not be opened, in a few words."""
    words = {
        "FileNotFoundError": "it is not there, or is a link to nothing",
        "PermissionError": "you have no permission",
    }
    return words.get(type(error).__name__, (error.strerror or str(error)).lower())

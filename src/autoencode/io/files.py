"""Opening files that a user names, without hanging, and printing their names."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import IO

from autoencode.errors import DataError

GZIP = b"\x1f\x8b"  # the first bytes of a gzipped file
# What Python's decoders raise at damaged content.
_DAMAGED = (
    *(OSError, EOFError, ValueError, NotImplementedError),
    *(zlib.error, zipfile.BadZipFile, tarfile.TarError),
)


def shown(path: str | Path) -> str:
    r"""A path as one line of text, with escapes for undecodable bytes and line breaks.

    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    text = os.fsencode(os.fspath(path)).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Unusable(Exception):
    """A file cannot be used; the text is the reason, without the path."""


def open_file(path: str | Path) -> BufferedReader:
    """Open a regular file for reading; pipes and devices are refused, because they can block.

    Raises:
        Unusable: it cannot be opened, or is not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        # Opening a device can have effects of its own, so it is refused before. What is opened is
        # checked again, because it may be another file by then.
        if stat.S_ISREG(os.stat(path).st_mode):
            file = os.fdopen(os.open(path, flags), "rb")
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file
            file.close()
    except OSError as error:
        raise Unusable(reason(error)) from error
    raise Unusable("it is not a regular file")


def read_up_to(file: IO[bytes] | GzipFile, size: int) -> bytearray:
    """The next `size` bytes of a file, or fewer at its end, without a second copy in memory."""
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


def unzipped(file: BufferedReader) -> BufferedReader | GzipFile:
    """The content of a file at its beginning: unpacked if it is gzipped, else the file itself."""
    return GzipFile(fileobj=file) if file.peek(2)[:2] == GZIP else file


@contextmanager
def open_regular(path: str | Path) -> Iterator[BufferedReader]:
    """Open a regular file that the user named, see `open_file`, to decode it in the block.

    Raises:
        DataError: it cannot be opened, is not a regular file, or is damaged.
    """
    try:
        with open_file(path) as file:
            yield file
    except Unusable as error:
        raise DataError(f"{shown(path)} cannot be read: {error}") from error
    except _DAMAGED as error:
        raise DataError(f"{shown(path)} is damaged: {error}", "Get or save it again.") from error


def reason(error: OSError) -> str:
    """The reason why a file could not be opened, in a few words."""
    reasons = {
        "FileNotFoundError": "it does not exist, or is a link to nothing",
        "PermissionError": "you have no permission",
    }
    return reasons.get(type(error).__name__, (error.strerror or str(error)).lower())

"""Opening files that a user names, without hanging, and printing their names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import GzipFile
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from autoencode.errors import AutoencodeError, DataError

GZIP = b"\x1f\x8b"  # the first bytes of a gzipped file
MAX_RATIO = 1032  # DEFLATE, of gzip and zip, packs at most so many bytes into one
STEP = 2**24  # bytes that are read at a time


def shown(path: str | Path) -> str:
    r"""A path as one line of text, with escapes for undecodable bytes and line breaks.

    >>> shown("a\nb.png")
    'a\\nb.png'
    """
    if isinstance(path, str) and path.isascii() and path.isprintable():
        return path  # the usual case, of each of very many files
    text = os.fsencode(os.fspath(path)).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Unusable(Exception):
    """A file cannot be used; the text is the reason, without the path."""


def open_file(path: str | Path) -> BufferedReader:
    """Open a regular file for reading; pipes and devices are refused, because they can block.

    Raises:
        Unusable: it cannot be opened, or is not a regular file.
    """
    return os.fdopen(_open_regular(path)[0], "rb")


def read_small(path: str | Path, limit: int) -> bytes:
    """The first bytes of a regular file, at most `limit`; faster than `open_file` for many.

    Raises:
        Unusable: it cannot be read, or is not a regular file.
    """
    number, size = _open_regular(path)
    try:
        return os.read(number, min(size, limit))  # memory is taken for what is asked
    except OSError as error:
        raise Unusable(reason(error)) from error
    finally:
        os.close(number)


_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FLAGS |= getattr(os, "O_CLOEXEC", 0)


def _open_regular(path: str | Path) -> tuple[int, int]:
    """The number and the size of an open regular file.

    Raises:
        Unusable: as `open_file`.
    """
    try:
        # Opening a device can have effects of its own, so it is refused before. What is opened is
        # checked again, because it may be another file by then.
        if stat.S_ISREG(os.stat(path).st_mode):
            number = os.open(path, _FLAGS)
            status = os.fstat(number)
            if stat.S_ISREG(status.st_mode):
                return number, status.st_size
            os.close(number)
    except OSError as error:
        raise Unusable(reason(error)) from error
    raise Unusable("it is not a regular file")


def read_up_to(file: Any, size: int) -> np.ndarray:
    """The next `size` bytes of a binary file, or fewer at its end, uint8 and not twice in memory.

    The size may be a false claim: memory that nothing was written to exists as an address only.
    """
    content = np.empty(max(size, 0), np.uint8)
    done = 0
    while done < size and (count := file.readinto(content[done : done + STEP].data)):
        done += count
    return content[:done]


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
        with open_file(path) as file, decoding(shown(path)):
            yield file
    except Unusable as error:
        raise DataError(f"{shown(path)} cannot be read: {error}") from error


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Decode content in the block; decoders raise exceptions of almost every type at damage.

    Raises:
        DataError: `what` is damaged, with what the decoder said.
    """
    try:
        yield
    except (AutoencodeError, Unusable, MemoryError):
        raise
    except Exception as error:
        raise DataError(f"{what} is damaged: {said(error)}", "Get or save it again.") from error


def said(error: Exception) -> str:
    r"""The first line of an exception's text, or its type where it has none.

    >>> said(ValueError("bad magic\nat 3")), said(EOFError())
    ('bad magic', 'EOFError')
    """
    lines = str(error).strip().splitlines()
    return shown(lines[0])[:200] if lines else type(error).__name__


def reason(error: OSError) -> str:
    """The reason why a file could not be opened, in a few words."""
    reasons = {
        "FileNotFoundError": "it does not exist, or is a link to nothing",
        "PermissionError": "you have no permission",
    }
    return reasons.get(type(error).__name__, (error.strerror or str(error)).lower())

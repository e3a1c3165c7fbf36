"""Files that are written completely or not at all: text and JSON. Never a pickle.

Each file is written under a temporary name in the same folder, synced to disk and renamed, so that
a kill at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from autoencode.errors import ResourceError, RunError, is_disk_full
from autoencode.io.files import Unusable, open_file, read_up_to, reason
from autoencode.io.memory import gigabytes

# Raised when the previous version of this package cannot read a new file.
FORMAT = 1
TEMPORARY = ".tmp"
RESTORE = "Restore it from a copy, or train again."
# Far beyond every file of a run: 200,000 columns, or a line of the log for each of a million steps.
MAX_JSON_BYTES, MAX_LOG_BYTES, MAX_NESTING = 2**26, 2**28, 50


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Replace the system's errors of writing to `path` by errors that say what to do.

    Raises:
        ResourceError: the disk is full.
        RunError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(
                f"There is no room on the disk for {path}",
                "Make room, then continue; earlier files are intact.",
            ) from error
        raise RunError(
            f"{path} cannot be written: {error.strerror}",
            "Choose a folder that you may write to, with --out.",
        ) from error


def write_bytes(path: Path, *content: bytes | memoryview) -> None:
    """Write a file completely or not at all; several pieces of content are joined.

    Raises:
        ResourceError: the disk is full.
        RunError: the folder cannot be written to.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    with writing(path):
        try:
            temporary.unlink(missing_ok=True)  # of a killed process that had the same number
            with _created(temporary) as file:
                file.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:  # a second Ctrl-C too
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    r"""Write a text in UTF-8, see `write_bytes`.

    Bytes of a file name that are not UTF-8 become `\udcXX`, which JSON reads back unchanged.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def _created(path: Path) -> BinaryIO:
    """A new file, opened for writing; not through a link, and not one that exists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0), 0o666), "wb")


@contextmanager
def reading(path: Path) -> Iterator[BufferedReader]:
    """Open a file of a run, also through a link; pipes and devices are refused, they can block.

    Raises:
        RunError: it is missing, is not a regular file, or cannot be read.
    """
    try:
        with open_file(path) as file:
            yield file
    except (Unusable, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, FileNotFoundError):
            raise RunError(f"{path} is missing", "Is the folder a complete run?") from error
        fix = "Change its permissions." if isinstance(cause, PermissionError) else RESTORE
        text = reason(error) if isinstance(error, OSError) else error
        raise RunError(f"{path} cannot be read: {text}", fix) from error


def read_bytes(path: Path, at_most: int) -> bytes:
    """The content of a file of a run, which has `at_most` bytes.

    Raises:
        RunError: it is larger, or as in `reading`.
    """
    with reading(path) as file:
        content = read_up_to(file, min(os.fstat(file.fileno()).st_size, at_most) + 1)
    if len(content) > at_most:
        raise RunError(
            f"{path} is larger than {gigabytes(at_most)}, and so is not a file of a run",
            RESTORE,
        )
    return bytes(content)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as indented JSON, see `write_bytes`.

    Raises:
        RunError: it is too large to be read again.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if len(text.encode(errors="backslashreplace")) > MAX_JSON_BYTES:
        raise RunError(
            f"{path} would be larger than {gigabytes(MAX_JSON_BYTES)}",
            "Use data with fewer columns, categories or classes.",
        )
    write_text(path, text)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RunError: the file is missing, or is not a JSON object.
    """
    text = read_bytes(path, MAX_JSON_BYTES)
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError(f"it should be a JSON object, and is a {type(content).__name__}")
        check_json(content, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error})", RESTORE) from error
    return content


def check_json(content: dict[str, Any], allow_nan: bool) -> None:
    """Refuses what this package never writes: deep nesting, lone surrogates, and NaN on request.

    Raises:
        ValueError: with the reason.
    """
    level: list[Any] = [content]
    for _ in range(MAX_NESTING):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for values in inner for each in values if isinstance(each, dict | list)]
    if level:
        raise ValueError(f"it is nested more than {MAX_NESTING} levels deep")
    # Bytes of file names that are not UTF-8 are kept as surrogates from U+DC80 on.
    json.dumps(content, ensure_ascii=False, allow_nan=allow_nan).encode("utf-8", "surrogateescape")


def add_line(path: Path, content: Mapping[str, Any]) -> None:
    """Append an object to a file with one JSON object per line; errors as in `write_bytes`."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with writing(path), os.fdopen(os.open(path, flags, 0o666), "ab") as file:
        file.write(json.dumps(content).encode() + b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file with one JSON object per line, up to a line that a kill has damaged.

    Raises:
        RunError: the file exists but cannot be read.
    """
    if not os.path.lexists(path):
        return []
    found = []
    for line in read_bytes(path, MAX_LOG_BYTES).splitlines():
        try:
            content = json.loads(line)
            if not isinstance(content, dict):
                break
            check_json(content, allow_nan=True)
        except (ValueError, RecursionError):
            break
        found.append(content)
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

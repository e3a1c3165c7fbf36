"""Files that are written completely or not at all: tensors with a checksum, JSON. Never a pickle.

Each file is written under a temporary name in the same folder, synced to disk and renamed, so that
a kill at any moment leaves the old file or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from autoencode.errors import ResourceError, RunError, is_disk_full
from autoencode.io.files import Unusable, open_file, read_up_to, reason
from autoencode.io.memory import available, gigabytes

# Raised when the previous version of this package cannot read a new file.
FORMAT = 1
TEMPORARY = ".tmp"
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
        fix = "Change its permissions." if isinstance(cause, PermissionError) else _RESTORE
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
            _RESTORE,
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
        _check_json(content, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as JSON ({error})", _RESTORE) from error
    return content


def _check_json(content: dict[str, Any], allow_nan: bool) -> None:
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
            _check_json(content, allow_nan=True)
        except (ValueError, RecursionError):
            break
        found.append(content)
    return found


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write named tensors and JSON-serialisable `meta` as one file, see `packed_tensors`."""
    write_bytes(path, *_pieces(tensors, meta))


def packed_tensors(tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> bytes:
    """The bytes of a safetensors file with named tensors, JSON-serialisable `meta` and a checksum.

    Equal tensors and equal `meta` give the same bytes, in every process.
    """
    return b"".join(_pieces(tensors, meta))


def _pieces(
    tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
) -> tuple[bytes, bytes, memoryview]:
    # safetensors refuses tensors that share memory or are not contiguous.
    copies = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    header = {"format": str(FORMAT), "meta": json.dumps(meta, sort_keys=True)}
    header["sha256"] = _checksum(copies, header)
    content = save(copies, header)
    # Eight bytes hold the length of the JSON header. Its metadata come from a hash map of Rust, in
    # an order that changes from process to process.
    end = 8 + int.from_bytes(content[:8], "little")
    sorted_header = json.dumps(
        json.loads(content[8:end]), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()
    sorted_header += b" " * (-len(sorted_header) % 8)  # the tensors start at a multiple of 8
    length = len(sorted_header).to_bytes(8, "little")
    return length, sorted_header, memoryview(content)[end:]


@contextmanager
def reading_tensors(path: Path) -> Iterator[BufferedReader]:
    """Open a file of tensors, see `reading`.

    Raises:
        ResourceError: it is larger than the available memory.
    """
    with reading(path) as file:
        size, free = os.fstat(file.fileno()).st_size, available()
        if size > free:
            raise ResourceError(
                f"{path} has {gigabytes(size)}, and {gigabytes(free)} of memory are available",
                "Free memory, or use a machine with more of it.",
            )
        yield file


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` of a file of `write_tensors`, after a check of every bit.

    Raises:
        RunError: the file is missing, truncated, changed, or of a newer version.
        ResourceError: it is larger than the available memory.
    """
    with reading_tensors(path):
        pass
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            _refuse_newer(path, header)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, MemoryError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error})", _RESTORE) from error
    return _verified(path, tensors, header)


def unpacked_tensors(content: bytes, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` of the bytes of `packed_tensors`, after a check of every bit.

    what: what the bytes are of, for messages.

    Raises:
        RunError: the bytes are truncated, changed, or of a newer version.
    """
    try:
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end]).get("__metadata__", {})
        _refuse_newer(what, header)
        tensors = load(content)
    except (SafetensorError, MemoryError, ValueError, AttributeError) as error:
        raise RunError(f"{what} is damaged ({error})", _RESTORE) from error
    return _verified(what, tensors, header)


def _refuse_newer(what: Path | str, header: Mapping[str, str]) -> None:
    version = header.get("format", "")
    if version.isdecimal() and int(version) > FORMAT:
        raise RunError(
            f"{what} has format {version}, but this version reads formats up to {FORMAT}",
            "Update: pip install --upgrade autoencode.",
        )


def _verified(
    what: Path | str, tensors: dict[str, Tensor], header: Mapping[str, str]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the `meta` in the header, if the checksum is right."""
    if _checksum(tensors, header) != header.get("sha256"):
        raise RunError(f"{what} is damaged: its checksum does not match its content", _RESTORE)
    try:
        meta = json.loads(header["meta"])
        if not isinstance(meta, dict):
            raise ValueError("its metadata are not a JSON object")
        _check_json(meta, allow_nan=True)
    except (KeyError, ValueError, RecursionError) as error:
        raise RunError(f"{what} is damaged ({error})", _RESTORE) from error
    return tensors, meta


_RESTORE = "Restore it from a copy, or train again."


def _checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    digest = hashlib.sha256(f"{header.get('format')}\n{header.get('meta')}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

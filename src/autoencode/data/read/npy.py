"""numpy's files, .npy and .npz, without pickles; headers are checked against the file size."""

from __future__ import annotations

import io
import math
import mmap
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy_format

from autoencode.data.raw import RawData
from autoencode.data.read.keys import LABELS, raw_parts
from autoencode.errors import AutoencodeError, DataError, ResourceError
from autoencode.io.files import decoding, open_regular, read_up_to, reason, shown
from autoencode.io.memory import check_memory, gigabytes

MAGIC = b"\x93NUMPY"
MAX_HEADER = 10_000  # bytes, as numpy's own limit
# Writable, because torch accepts nothing else, and private. Without MAP_NORESERVE, for which Python
# 3.11 has no name, Linux would reserve memory and refuse files larger than memory.
_NO_RESERVE = 0x4000
_PRIVATE: dict[str, int] = (
    {"flags": mmap.MAP_PRIVATE | _NO_RESERVE, "prot": mmap.PROT_READ | mmap.PROT_WRITE}
    if sys.platform == "linux"
    else {"access": mmap.ACCESS_COPY}
)


def read_npy(path: Path) -> np.ndarray:
    """The array of one .npy file.

    Raises:
        DataError: it is damaged, cut short, or contains Python objects.
        ResourceError: it is too large for the memory.
    """
    with open_regular(path) as file:
        return _array(file, os.fstat(file.fileno()).st_size, shown(path))


def parse_npy(content: bytes, what: str) -> np.ndarray:
    """The array in the bytes of an .npy file, without a copy; it cannot be written to.

    what: what the bytes are, for messages.

    Raises:
        DataError: as `read_npy`.
    """
    try:
        file = BytesIO(content)
        shape, order, dtype, needed = _checked_header(file, len(content), what)
        if not needed:
            return np.zeros(shape, dtype)
        return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order=order)
    except AutoencodeError:
        raise
    except Exception as error:  # damaged headers make numpy raise exceptions of almost every type
        raise DataError(f"{what} is damaged: {error}", "Get or save it again.") from error


def map_npy(path: Path) -> np.ndarray:
    """The array of one .npy file, memory-mapped. Changes of the array do not change the file.

    Raises:
        DataError: as `read_npy`.
        ResourceError: the address space of the process is limited.
    """
    what = shown(path)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        shape, order, dtype, needed = _checked_header(file, size, what)
        if not needed:
            return np.zeros(shape, dtype)
        try:
            content = mmap.mmap(file.fileno(), size, **_PRIVATE)
        except OSError as error:
            raise ResourceError(
                f"The limits on this process leave no address space for {what}, {gigabytes(size)}: "
                f"{reason(error)}",
                "Raise them: ulimit -v unlimited.",
            ) from error
        return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape, order=order)


def read_npz(path: Path) -> RawData:
    """The arrays of one .npz file, by their names: x and y, x_train …, or a single array."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        parts, notices = raw_parts(_Members(archive, shown(path)), shown(path))
    return RawData(parts, notices=notices)


def read_npz_labels(path: Path) -> np.ndarray:
    """The labels in an .npz file: its single array, or the one named y, labels or the like.

    Raises:
        DataError: none is named so, or it is damaged.
    """
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = _Members(archive, shown(path))
        names = [name for name in members if len(members) == 1 or name.lower() in LABELS]
        if len(names) != 1:
            raise DataError(
                f"{shown(path)} contains {', '.join(members) or 'no arrays'}, and which are the "
                "labels is not clear",
                "Name them y.",
            )
        return members[names[0]]


class _Members(Mapping[str, np.ndarray]):
    """The arrays of an archive, each read when it is accessed."""

    def __init__(self, archive: zipfile.ZipFile, path: str) -> None:
        self._archive, self._path = archive, path
        self._infos = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }

    def __getitem__(self, name: str) -> np.ndarray:
        info, what = self._infos[name], f"{self._path}: array {name}"
        try:
            with self._archive.open(info) as file:
                return _array(file, info.file_size, what)
        except RuntimeError as error:  # the file needs a password
            raise DataError(f"{what} cannot be read: {error}", "Save it anew.") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)


def _array(file: IO[bytes], size: int, what: str) -> np.ndarray:
    """One array in numpy's format from a file of `size` bytes."""
    shape, order, dtype, needed = _checked_header(file, size, what)
    # Before unpacking, because a few kilobytes can contain a terabyte of zeros.
    check_memory(needed, what, "Give a smaller file.")
    content = read_up_to(file, needed)
    if len(content) < needed:
        raise DataError(f"{what} is cut short", "Get or save it again.")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _checked_header(
    file: IO[bytes], size: int, what: str
) -> tuple[tuple[int, ...], Literal["F", "C"], np.dtype, int]:
    """Shape, order, type and size in bytes of the array after the header, all of it in the file."""
    head = file.read(len(MAGIC))
    if head != MAGIC:
        pickled = head[:1] == b"\x80"
        kind = "a pickled Python object, which is never opened" if pickled else "no array"
        raise DataError(f"{what} contains {kind}", "Save a plain array with np.save.")
    version = tuple(file.read(2))
    readers = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
    if version not in readers:
        raise DataError(f"{what} has an unknown version {version}", "Save it with np.save.")
    count = file.read(2 * version[0])
    length = int.from_bytes(count, "little")
    if length > MAX_HEADER:
        raise DataError(
            f"{what} is damaged: its header has {length:,} bytes", "Get or save it again."
        )
    with decoding(what), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote
        shape, fortran, dtype = readers[version](io.BytesIO(count + file.read(length)))
    if any(type(n) is not int or not 0 <= n < 2**63 for n in shape):
        raise DataError(f"{what} is damaged: its shape is {shape}", "Get or save it again.")
    if dtype.hasobject:
        raise DataError(
            f"{what} contains Python objects, which may run code when they are opened",
            "Save a plain array: np.save(path, np.stack(list_of_images)).",
        )
    available = size - file.tell()
    needed = math.prod(shape) * dtype.itemsize
    if needed != available:
        state = "cut short" if needed > available else "too long"
        raise DataError(
            f"{what} is {state}: {dtype} of shape {shape} is {needed:,} bytes, and it has "
            f"{available:,}",
            "Get or save it again.",
        )
    return shape, "F" if fortran else "C", dtype, needed

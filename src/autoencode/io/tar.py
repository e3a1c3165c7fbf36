"""The entries of .tar archives, without trust in the sizes that their headers claim."""

from __future__ import annotations

import bz2
import lzma
import tarfile
from collections.abc import Callable, Iterator
from gzip import GzipFile
from io import BufferedReader, BytesIO
from typing import IO, Any

import numpy as np

from autoencode.io.files import GZIP, read_up_to

MAX_HEADER = 2**20  # bytes: of the headers before one entry, with its long name
_OPENERS: dict[bytes, Callable[[Any], Any]] = {
    GZIP: lambda file: GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
    b"]\0\0": lzma.LZMAFile,
}


class TarEntries:
    """The entries of an open .tar archive, in order, and the content of the current one."""

    def __init__(self, file: Any) -> None:
        self._limit = _Limited(file)
        self._limit.left = MAX_HEADER
        limited: Any = self._limit
        # Without type: tarfile's own attributes have none.
        self._archive: Any = tarfile.TarFile(fileobj=limited)

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        archive, end = self._archive, -1
        while (entry := archive.next()) is not None:
            if archive.offset <= end:
                raise tarfile.ReadError("the size of an entry is negative")
            end = archive.offset
            yield entry
            archive.members.clear()  # they would fill the memory
            self._limit.left = MAX_HEADER

    def read(self, entry: tarfile.TarInfo) -> np.ndarray:
        """The content of the last entry, which is a regular file."""
        self._limit.left = entry.size
        return read_up_to(self._archive.extractfile(entry), entry.size)

    @property
    def is_complete(self) -> bool:
        """Whether the archive ended with a block of zeros, after which tarfile stops."""
        return bool(self._limit.tell() > self._archive.offset)


class _Limited:
    """A file of which at most `left` more bytes are read, but as many as one likes are skipped.

    tarfile would read a header of any size that an archive claims, in one piece.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.left = file, 0
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """The next bytes."""
        self.left -= size
        if size < 0 or self.left < 0:
            raise tarfile.ReadError(f"a header is longer than {MAX_HEADER:,} bytes")
        return self._file.read(size)


def tar_entries(file: BufferedReader | BytesIO) -> TarEntries:
    """The entries of a .tar archive, compressed or not, that is open at its beginning."""
    head = file.read(8)
    file.seek(0)
    opener = next((each for magic, each in _OPENERS.items() if head.startswith(magic)), None)
    return TarEntries(opener(file) if opener else file)

"""Archives of images, .zip and .tar, read like the folder in them, without unpacking to the disk.

No path in an archive is ever written to, so an entry cannot leave the archive; sizes are checked
before an entry is unpacked.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autoencode.data.read.cifar import is_batch_archive
from autoencode.data.read.image import ENDINGS, MAX_PIXELS
from autoencode.data.read.scan import IgnoreRules, ImageTree, Opened
from autoencode.errors import DataError
from autoencode.io.files import Unusable, decoding, open_file, open_regular, said, shown
from autoencode.io.memory import check_memory, gigabytes
from autoencode.io.tar import tar_entries
from autoencode.io.urls import UrlFolder, is_url

MAX_BYTES = 4 * MAX_PIXELS  # of one image file, unpacked: that of the largest image, uncompressed
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_tar(path: Path) -> bool:
    """Whether a file is a .tar archive, by its name.

    >>> is_tar(Path("photos.tar.gz")), is_tar(Path("photos.gz"))
    (True, False)
    """
    return path.name.lower().endswith(TAR_ENDINGS)


def is_zip(path: str | Path) -> bool:
    """Whether a file is a .zip archive, by its name."""
    return str(path).lower().endswith(".zip")


def is_image_archive(path: Path) -> bool:
    """Whether a file is a .zip or .tar archive of image files, and not of arrays.

    Raises:
        DataError: it is damaged.
    """
    if path.is_dir():
        return False
    if is_tar(path):
        return not is_batch_archive(path)
    with open_regular(path) as file:
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            return False
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    endings = {os.path.splitext(name)[1].lower() for name in names}
    return path.suffix.lower() != ".npz" and (bool(endings & ENDINGS) or ".npy" not in endings)


class ZipTree(ImageTree):
    """The images of a .zip archive.

    Raises:
        DataError: the archive is damaged or encrypted.
    """

    def __init__(self, source: Path | str, rules: IgnoreRules) -> None:
        super().__init__(source, rules)
        with _opened(source) as file:  # checks and messages
            zipfile.ZipFile(file).close()
        self._file = UrlFolder(str(source)).open() if is_url(source) else open_file(source)
        self._archive = zipfile.ZipFile(self._file)
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            name = _entry_name(self, info.filename)
            if name is None or info.is_dir():  # an entry may have no name
                continue
            if info.flag_bits & 1:
                self.close()
                raise DataError(
                    f"{shown(source)} is encrypted", "Unpack it, and give the folder instead."
                )
            if name in self._entries:
                self.reject(name, "the archive contains it twice")
                continue
            self._entries[name] = info
            self.add(name)

    def open(self, path: str) -> Opened:
        """Unpack an image into memory.

        Raises:
            Unusable: it is damaged or too large.
        """
        info = self._entries[path]
        if info.file_size > MAX_BYTES:
            raise Unusable(_too_large(info.file_size))
        try:
            with self._archive.open(info) as file:
                return io.BytesIO(file.read())
        except MemoryError:
            raise
        except Exception as error:  # of almost every type
            raise Unusable(f"it is damaged in the archive: {said(error)}") from error

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()
        self._file.close()


class TarTree(ImageTree):
    """The images of a .tar archive, compressed or not, all of them in memory while it is open.

    Raises:
        DataError: the archive is damaged.
        TooLarge: its images do not fit into memory.
    """

    def __init__(self, source: Path | str, rules: IgnoreRules) -> None:
        super().__init__(source, rules)
        self._content: dict[str, np.ndarray] = {}
        total = 0
        with _opened(source) as file:
            entries = tar_entries(file)
            for entry in entries:
                name = _entry_name(self, entry.name)
                if name is None or entry.isdir():
                    continue
                if os.path.splitext(name)[1].lower() not in ENDINGS:
                    self.add(name)
                elif not entry.isfile() or entry.issparse():
                    self.reject(name, "it is not a regular file")
                elif entry.size > MAX_BYTES:
                    self.reject(name, _too_large(entry.size))
                else:
                    total += entry.size
                    fix = "Unpack it, and give the folder instead."
                    check_memory(total, shown(source), fix)
                    if name not in self._content:
                        self.add(name)
                    self._content[name] = entries.read(entry)
            if not entries.is_complete:
                raise DataError(f"{shown(source)} is cut short", "Get it again.")

    def open(self, path: str) -> Opened:
        """The content of an image."""
        return io.BytesIO(self._content[path].data)


@contextmanager
def _opened(source: Path | str) -> Iterator[Any]:
    """Open an archive, a path or a URL, to decode it in the block.

    Raises:
        DataError: it is damaged, or the path cannot be opened.
        AutoencodeError, RunError: the URL cannot be used.
    """
    if not is_url(source):
        with open_regular(source) as file:
            yield file
        return
    with UrlFolder(str(source)).open() as file, decoding(shown(source)):
        yield file


def _entry_name(tree: ImageTree, name: str) -> str | None:
    """The path of an entry; None if it is passed over."""
    # Some programs on Windows write backslashes.
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    path = "/".join(parts)
    if not parts or tree.rules.any_of(path.replace("../", "")):
        return None
    if ".." in parts or name.startswith(("/", "\\")):
        tree.reject(path, "its path leads out of the archive")
        return None
    return path


def _too_large(size: int) -> str:
    return f"it needs {gigabytes(size)} unpacked, more than any image that is read"

"""Data larger than memory: prepared once into .npy files, which are memory-mapped.

Each prepared data set has a folder, named by the content of the source and by the options. The
folder appears complete, by renaming; what a killed process leaves is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy_format
from torch import Tensor

from autoencode.data.arrays import as_array, blocks
from autoencode.data.cache import cache_errors, cache_folder, disk_full
from autoencode.data.options import Options
from autoencode.data.read.npy import map_npy, read_npy
from autoencode.data.records import PARTS, Data, RawData, Split
from autoencode.data.storage import Conversion, Parts, Selection, convert
from autoencode.errors import DataError
from autoencode.io.files import shown
from autoencode.io.lock import locked
from autoencode.io.memory import gigabytes
from autoencode.io.progress import Bar

# Raised when the same source and options would be prepared differently.
FORMAT = 1
PARTIAL = ".part"
_PER_EXAMPLE = ("y", "context", "factors")


class NpyWriter:
    """Writes examples to the end of an .npy file.

    Raises:
        ResourceError: the disk has no room for all n examples, at the beginning or later.
    """

    def __init__(self, path: Path, n: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.shape, self.dtype, self.n = path, shape, dtype, 0
        needed = n * math.prod(shape) * dtype.itemsize
        self.what = f"the data ({gigabytes(needed)})"
        _check_room(path.parent, needed)
        with cache_errors(self.what, path.parent.parent):
            # Without a buffer, whose content a full disk would make Python write again at closing.
            self._file = path.open("wb", buffering=0)
            self._write_header()

    def add(self, examples: np.ndarray) -> None:
        """Append examples [n, *shape]."""
        left = np.ascontiguousarray(examples, self.dtype).reshape(-1).view(np.uint8).data
        with cache_errors(self.what, self.path.parent.parent):
            while left:
                left = left[self._file.write(left) :]
        self.n += len(examples)

    def result(self) -> np.ndarray:
        """All examples that were added, on disk and memory-mapped, [N, *shape]."""
        with cache_errors(self.what, self.path.parent.parent):
            self._file.seek(0)
            self._write_header()  # as long as before: numpy leaves room for the number to grow
            os.fsync(self._file.fileno())
        return map_npy(self.path)

    def close(self) -> None:
        """End the writing, complete or not."""
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "shape": (self.n, *self.shape),
            "fortran_order": False,
            "descr": npy_format.dtype_to_descr(self.dtype),
        }
        npy_format.write_array_header_1_0(self._file, header)


class FileStorage:
    """Stores the parts in a folder, one file each, of which one block at a time is in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def writer(
        self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str = "rows", fix: str = ""
    ) -> NpyWriter:
        """A writer for n examples before they are divided into parts."""
        return NpyWriter(self.folder / "rows.npy", n, shape, dtype)

    def gather(self, selections: Mapping[str, Selection], conversion: Conversion) -> Parts:
        """The converted examples of each part, [N, *X], memory-mapped.

        Raises:
            ResourceError: the disk is full.
        """
        n = sum(map(len, selections.values()))
        _check_room(self.folder, n * conversion.example_bytes)
        with ExitStack() as stack, Bar("preparing", n) as bar:
            writers = {
                part: stack.enter_context(closing(self._writer(part, len(each), conversion)))
                for part, each in selections.items()
            }
            convert(selections, conversion, writers, bar)
            found = {part: torch.from_numpy(writer.result()) for part, writer in writers.items()}
        (self.folder / "rows.npy").unlink(missing_ok=True)
        return found

    def replace(self, part: str, x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
        """Store the joined pieces, uint8, instead of the examples x of a part."""
        path, shape = self.folder / f"{part}.bits.npy", tuple(x.shape[1:])
        with closing(NpyWriter(path, len(x), shape, np.dtype(np.uint8))) as writer:
            for piece in pieces:
                writer.add(piece.numpy())
            found = writer.result()
        os.replace(path, self.folder / f"{part}.npy")
        return torch.from_numpy(found)

    def _writer(self, part: str, n: int, conversion: Conversion) -> NpyWriter:
        return NpyWriter(self.folder / f"{part}.npy", n, conversion.shape, conversion.dtype)


def _check_room(folder: Path, needed: int) -> None:
    if needed > shutil.disk_usage(folder).free:
        raise disk_full(f"the data ({gigabytes(needed)})", folder.parent)


@contextmanager
def temporary_storage() -> Iterator[FileStorage]:
    """A folder to prepare data in, by one process at a time; it is removed at the end.

    Raises:
        DataError: the cache folder cannot be used.
    """
    root = _root()
    with ExitStack() as stack:
        with cache_errors("the data", root):
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(root / ".lock", doing="preparing data"))
            for stale in root.glob(f"*{PARTIAL}"):  # of processes that were killed
                shutil.rmtree(stale, ignore_errors=True)
            folder = tempfile.mkdtemp(suffix=PARTIAL, dir=root)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield FileStorage(Path(folder))


def prepared_folder(content: str, options: Options) -> Path:
    """The folder of the data that a source of this content and these options give."""
    # Where the source is and where labels come from does not change the content.
    ignored = ("labels", "vectors", "memory")
    record = {name: value for name, value in options.record().items() if name not in ignored}
    key = hashlib.sha256(json.dumps([FORMAT, content, record], sort_keys=True).encode()).hexdigest()
    return _root() / key[:32]


def _root() -> Path:
    return cache_folder() / "mapped"


def content_hash(raw: RawData) -> str:
    """SHA-256 over everything in a source, as 64 hex digits."""
    sha = hashlib.sha256(repr((raw.classes, raw.value_range, raw.unordered)).encode())
    for part, (x, y) in raw.parts.items():
        for name, array in ((part, x), (f"{part} labels", y)):
            hash_array(sha, name, array)
    for name, array in {"vectors": raw.vectors, **raw.factors}.items():
        hash_array(sha, name, array)
    return sha.hexdigest()


def hash_array(sha: Any, name: str, value: Any) -> None:
    """Add an array of any kind, or None, to a hash."""
    if value is None:
        return
    array = as_array(value, name)
    array = array.astype(str) if array.dtype.kind == "O" else array
    sha.update(f"{name} {array.dtype.str} {array.shape};".encode())
    for _, block in blocks(array) if array.ndim else ():
        sha.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


def save_prepared(storage: FileStorage, data: Data, folder: Path) -> None:
    """Add labels and the record of the data to their examples, and rename all to its folder."""
    with cache_errors("the data", folder.parent):
        for name in PARTS:
            for what in _PER_EXAMPLE:
                if (value := getattr(getattr(data, name), what)) is not None:
                    np.save(storage.folder / f"{name}.{what}.npy", value.numpy())
        record = {
            "source": shown(data.source),
            "classes": data.classes,
            "fingerprint": data.fingerprint,
            "notices": data.notices,
            "factors": data.factors,
            "unordered": data.unordered,
            "random": [name for name in PARTS if getattr(data, name).random],
        }
        (storage.folder / "data.json").write_text(json.dumps(record, indent=1))
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        os.replace(storage.folder, folder)


def load_prepared(folder: Path, options: Options, name: str, source: str) -> Data | None:
    """The data in a folder, their examples memory-mapped; None if files are missing or damaged."""
    try:
        record = json.loads((folder / "data.json").read_text())
        parts = {part: _load_part(folder, part, record["random"]) for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    size = gigabytes(sum(part.x.numel() * part.x.element_size() for part in parts.values()))
    notices = list(record["notices"])
    if record["source"]:  # the same content may be elsewhere now
        notices = [text.replace(record["source"], shown(source)) for text in notices]
    notices.append(
        f"The data ({size}) are not in memory but are read from files in {shown(folder)}. If these "
        "files are removed, they are made again."
    )
    return Data(
        name=name,
        source=source,
        options=options.record(),
        classes=tuple(record["classes"]),
        fingerprint=record["fingerprint"],
        notices=tuple(notices),
        factors=tuple(record["factors"]),
        unordered=tuple(record["unordered"]),
        **parts,
    )


def _load_part(folder: Path, part: str, random: list[str]) -> Split:
    per_example: Mapping[str, Any] = {
        what: torch.from_numpy(read_npy(path))
        for what in _PER_EXAMPLE
        if (path := folder / f"{part}.{what}.npy").exists()
    }
    x = torch.from_numpy(map_npy(folder / f"{part}.npy"))
    return replace(Split(x, None, random=part in random, mapped=True), **per_example)

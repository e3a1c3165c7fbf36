"""Storage of examples, in memory or in files, while they are converted and divided into parts."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy_format
from torch import Tensor

from autoencode.data.arrays import BLOCK
from autoencode.data.cache import cache_errors, disk_full
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.read.npy import map_npy
from autoencode.data.split.binarisation import copy_pieces
from autoencode.io.memory import check_memory, gigabytes
from autoencode.io.progress import Bar


@dataclass(frozen=True)
class Selection:
    """The examples of an array that form a part: ascending positions `rows`, or None for all."""

    x: np.ndarray
    rows: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x if self.rows is None else self.rows)

    def between(self, start: int, end: int) -> np.ndarray:
        """The selected examples whose position in the array is at least `start` and below `end`."""
        if self.rows is None:
            return self.x[start:end]
        first, last = np.searchsorted(self.rows, (start, end))
        chosen: np.ndarray = self.x[self.rows[int(first) : int(last)]]
        return chosen


Parts = dict[str, Tensor]


def convert(
    selections: Mapping[str, Selection],
    preprocessing: Preprocessing,
    writers: Mapping[str, Writer],
    bar: Bar,
) -> None:
    """Read each array once, in blocks, and give each part's converted examples to its writer."""
    for x in _arrays(selections):
        step = max(1, BLOCK // max(1, math.prod(x.shape[1:]), math.prod(preprocessing.shape)))
        for start in range(0, len(x), step):
            for part in _by_size(selections):
                if selections[part].x is x:
                    chosen = selections[part].between(start, start + step)
                    writers[part].add(preprocessing(chosen))
                    bar.update(len(chosen))


class ArrayWriter:
    """Writes examples into an array that is large enough."""

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.n = x, 0

    def add(self, examples: np.ndarray) -> None:
        """Append examples [n, ...]."""
        self.x[self.n : self.n + len(examples)] = examples
        self.n += len(examples)

    def result(self) -> np.ndarray:
        """All examples that were added, [N, ...]."""
        return self.x[: self.n]

    def close(self) -> None:
        """Nothing is open."""


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


class MemoryStorage:
    """Stores the parts in memory.

    reuse: the memory of the source arrays may be overwritten, because nobody else uses it.
    """

    def __init__(self, reuse: bool) -> None:
        self.reuse = reuse

    def writer(
        self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str, fix: str
    ) -> ArrayWriter:
        """A writer for n examples.

        Raises:
            TooLarge: there is too little memory.
        """
        check_memory(n * math.prod(shape) * dtype.itemsize, what, fix)
        return ArrayWriter(np.empty((n, *shape), dtype))

    def gather(self, selections: Mapping[str, Selection], preprocessing: Preprocessing) -> Parts:
        """The converted examples of each part, [N, *X].

        Where converted examples need as many bytes as before, they stay in the memory of their
        array: then only the smaller parts, about a fifth, are in memory twice for a moment.

        Raises:
            TooLarge: they need memory of their own, and there is too little.
        """
        found: Parts = {}
        with Bar("preparing", sum(map(len, selections.values()))) as bar:
            for x in _arrays(selections):
                ours = {part: each for part, each in selections.items() if each.x is x}
                room = _reinterpreted(x, preprocessing) if self.reuse else None
                if room is None:
                    needed = sum(map(len, ours.values())) * preprocessing.example_bytes
                    what, fix = (
                        f"The data as {preprocessing.dtype}",
                        "Give fewer examples, or uint8.",
                    )
                    check_memory(needed, what, fix)
                # The largest part can be written over the array while it is read: positions ascend,
                # and in each block this part is the last, so only examples that have been read are
                # overwritten.
                largest = _by_size(ours)[-1]
                writers = {
                    part: ArrayWriter(
                        room
                        if room is not None and part == largest
                        else np.empty((len(each), *preprocessing.shape), preprocessing.dtype)
                    )
                    for part, each in ours.items()
                }
                convert(ours, preprocessing, writers, bar)
                end = len(ours[largest])
                for part, writer in writers.items():
                    result = writer.result()
                    if room is not None and part != largest:
                        room[end : end + len(result)] = result
                        result = room[end : end + len(result)]
                        end += len(result)
                    found[part] = torch.from_numpy(result)
        return {part: found[part] for part in selections}

    def replace(self, part: str, x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
        """Store the joined pieces, uint8, instead of the examples x of a part."""
        out = x if x.dtype == torch.uint8 else torch.empty_like(x, dtype=torch.uint8)
        return copy_pieces(pieces, out)


class FileStorage:
    """Stores the parts in a folder, one file each, of which one block at a time is in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def writer(
        self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str, fix: str
    ) -> NpyWriter:
        """A writer for n examples before they are divided into parts."""
        return NpyWriter(self.folder / "rows.npy", n, shape, dtype)

    def gather(self, selections: Mapping[str, Selection], preprocessing: Preprocessing) -> Parts:
        """The converted examples of each part, [N, *X], memory-mapped.

        Raises:
            ResourceError: the disk is full.
        """
        n, shape, dtype = (
            sum(map(len, selections.values())),
            preprocessing.shape,
            preprocessing.dtype,
        )
        _check_room(self.folder, n * preprocessing.example_bytes)
        with ExitStack() as stack, Bar("preparing", n) as bar:
            writers = {
                part: stack.enter_context(
                    closing(NpyWriter(self.folder / f"{part}.npy", len(each), shape, dtype))
                )
                for part, each in selections.items()
            }
            convert(selections, preprocessing, writers, bar)
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


def _by_size(selections: Mapping[str, Selection]) -> list[str]:
    """The parts, the largest last."""
    return sorted(selections, key=lambda part: len(selections[part]))


def _arrays(selections: Mapping[str, Selection]) -> Iterator[np.ndarray]:
    """Each array of the selections once."""
    yield from {id(each.x): each.x for each in selections.values()}.values()


def _reinterpreted(x: np.ndarray, preprocessing: Preprocessing) -> np.ndarray | None:
    """The memory of x as converted examples; None where it has another size or order."""
    dense = np.moveaxis(x, 1, -1) if x.ndim == 4 and not x.flags.c_contiguous else x
    fits = math.prod(x.shape[1:]) * x.itemsize == preprocessing.example_bytes
    if not (fits and dense.flags.c_contiguous and dense.flags.writeable):
        return None
    content = dense.reshape(-1).view(np.uint8)
    if content.ctypes.data % preprocessing.dtype.alignment:
        return None
    return content.view(preprocessing.dtype).reshape(len(x), *preprocessing.shape)


def _check_room(folder: Path, needed: int) -> None:
    if needed > shutil.disk_usage(folder).free:
        raise disk_full(f"the data ({gigabytes(needed)})", folder.parent)


Writer = ArrayWriter | NpyWriter
Storage = MemoryStorage | FileStorage

"""Data larger than memory: the examples of each part in an .npy file that the system reads from."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy_format
from torch import Tensor

from autoencode.data.arrays import Change
from autoencode.data.gather import Form, Share, at_once
from autoencode.data.read.npy import map_npy
from autoencode.errors import DataError, ResourceError, is_disk_full
from autoencode.io.files import reason, shown
from autoencode.io.memory import gigabytes
from autoencode.io.progress import Bar


class Files:
    """Keeps the parts in a folder, one file each, of which a block at a time is in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, n: int, shape: tuple[int, ...], dtype: np.dtype, what: str, fix: str) -> Writer:
        """Room for so many examples, in a file."""
        return Writer(self.folder / "rows.npy", n, shape, dtype)

    def gather(self, shares: Mapping[str, Share], form: Form) -> dict[str, Tensor]:
        """The examples of each part, changed: [N, *X], over a map of their file.

        Each array is gone through once, from its beginning to its end.

        Raises:
            ResourceError: the disk is full.
        """
        n = sum(map(len, shares.values()))
        check_room(self.folder, n * form.size)
        with ExitStack() as stack, Bar("preparing", n) as bar:
            writers = {
                part: stack.enter_context(closing(self._writer(part, len(share), form)))
                for part, share in shares.items()
            }
            for x in {id(share.x): share.x for share in shares.values()}.values():
                ours = [(writers[part], share) for part, share in shares.items() if share.x is x]
                step = at_once(x, form)
                for start in range(0, len(x), step):
                    for writer, share in ours:
                        chosen = share[share.between(start, start + step)]
                        writer.add(form(chosen))
                        bar.update(len(chosen))
            found = {part: torch.from_numpy(writer.done()) for part, writer in writers.items()}
        (self.folder / "rows.npy").unlink(missing_ok=True)
        return found

    def replace(self, part: str, x: Tensor, pieces: Iterable[Tensor]) -> Tensor:
        """The pieces, uint8, one after the other, in a file in the place of that of x."""
        bits = Form(Change(np.dtype(np.uint8)), tuple(x.shape[1:]))
        with closing(self._writer(f"{part}.bits", len(x), bits)) as writer:
            for piece in pieces:
                writer.add(piece.numpy())
            found = writer.done()
        os.replace(writer.path, self.folder / f"{part}.npy")
        return torch.from_numpy(found)

    def _writer(self, name: str, n: int, form: Form) -> Writer:
        return Writer(self.folder / f"{name}.npy", n, form.shape, form.dtype)


class Writer:
    """An .npy file that grows at its end.

    Raises:
        ResourceError: the disk has no room for all n examples, at the beginning or later.
    """

    def __init__(self, path: Path, n: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.shape, self.dtype, self.n = path, shape, dtype, 0
        self.needed = n * math.prod(shape) * dtype.itemsize
        check_room(path.parent, self.needed)
        with self._writing():
            # What a buffer holds on a full disk would be tried again when the file is closed.
            self._file = path.open("wb", buffering=0)
            self._head()

    def add(self, examples: np.ndarray) -> None:
        """Writes examples [n, *shape] behind those that are there."""
        left = np.ascontiguousarray(examples, self.dtype).reshape(-1).view(np.uint8).data
        with self._writing():
            while left:
                left = left[self._file.write(left) :]
        self.n += len(examples)

    def done(self) -> np.ndarray:
        """All of them, brought to the disk, over a map of the file."""
        with self._writing():
            self._file.seek(0)
            self._head()  # as long as before: numpy leaves room for the number to grow
            os.fsync(self._file.fileno())
        return map_npy(self.path)

    def close(self) -> None:
        """Ends the writing."""
        self._file.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.path.parent, self.needed)

    def _head(self) -> None:
        head = {
            "shape": (self.n, *self.shape),
            "fortran_order": False,
            "descr": npy_format.dtype_to_descr(self.dtype),
        }
        npy_format.write_array_header_1_0(self._file, head)


def check_room(folder: Path, needed: int) -> None:
    """Refuses to write so many bytes into a folder whose disk has fewer.

    Raises:
        ResourceError: naming both figures.
    """
    if needed > shutil.disk_usage(folder).free:
        raise _full(folder, needed)


@contextmanager
def writing(folder: Path, needed: int) -> Iterator[None]:
    """Turns what the system has against writing into a sentence.

    Raises:
        ResourceError: the disk is full.
        DataError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise _full(folder, needed) from error
        raise DataError(
            f"The cache {shown(folder.parent)} cannot be used: {reason(error)}",
            "Set AUTOENCODE_CACHE to a folder that can be written.",
        ) from error


def _full(folder: Path, needed: int) -> ResourceError:
    free = shutil.disk_usage(folder).free
    return ResourceError(
        f"The disk is full: the data are to be kept in {shown(folder.parent)}, where they need "
        f"{gigabytes(needed)} and {gigabytes(free)} are free",
        "Make room, or set AUTOENCODE_CACHE to a folder elsewhere.",
    )

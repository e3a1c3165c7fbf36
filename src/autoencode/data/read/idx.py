"""IDX, the format of MNIST: two zero bytes, a type, a rank, the lengths, then the values."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

import numpy as np

from autoencode.data.raw import RawData
from autoencode.errors import DataError
from autoencode.io.files import MAX_RATIO, open_regular, read_up_to, shown, unzipped
from autoencode.io.memory import check_memory

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def is_idx(head: bytes) -> bool:
    """Whether a file that begins with these four bytes is an IDX file.

    >>> is_idx(bytes([0, 0, 8, 3])), is_idx(b"PK34")
    (True, False)
    """
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in TYPES and 1 <= head[3] <= 4


def read_idx(path: str | Path) -> np.ndarray:
    """The array of one IDX file, gzipped or not.

    Raises:
        DataError: it is not an IDX file, is cut short, or is too long.
        ResourceError: it is larger than memory allows.
    """
    with open_regular(path) as opened:
        file = unzipped(opened)
        head = file.read(4)
        if not is_idx(head):
            raise DataError(f"{shown(path)} is not an IDX file", "It should begin with 00 00 08.")
        lengths = file.read(4 * head[3])
        if len(lengths) < 4 * head[3]:
            raise DataError(f"{shown(path)} is cut short in its header", "Get it again.")
        shape = tuple(int(n) for n in np.frombuffer(lengths, ">u4"))
        dtype = np.dtype(TYPES[head[2]])
        size = math.prod(shape) * dtype.itemsize
        # Before memory is asked for, because a header can claim any size.
        most = os.fstat(opened.fileno()).st_size * (1 if file is opened else MAX_RATIO)
        body = np.empty(0, np.uint8)
        if size <= most:
            check_memory(size, shown(path), "Give a smaller file.")
            body = read_up_to(file, size)
        if len(body) != size or file.read(1):
            state = "cut short" if len(body) < size else "too long"
            raise DataError(
                f"{shown(path)} is {state}: its header says {shape}, which is {size:,} bytes",
                "Get it again.",
            )
    array = np.frombuffer(body, dtype).astype(dtype.newbyteorder("="), copy=False)
    return array.reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array as the bytes of an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8, copy=False).tobytes()


def read_idx_file(path: Path) -> RawData:
    """One IDX file of examples, with the labels of the file with the corresponding name."""
    x = read_idx(path)
    if x.ndim == 1:
        raise DataError(
            f"{shown(path)} contains labels or single numbers, shape {x.shape}, and no examples",
            "Give the file of images, named …-images-idx3-ubyte.",
        )
    name = re.sub(r"idx\d", "idx1", path.name.replace("images", "labels"))
    labels = _either(path.parent, name) if name != path.name else None
    if labels is None:
        return RawData({"all": (x, None)})
    notice = f"The labels come from {shown(labels.name)} in the same folder."
    return RawData({"all": (x, read_idx(labels))}, notices=(notice,))


def read_idx_folder(folder: Path) -> RawData | None:
    """The four files of MNIST's layout, gzipped or not; None if the folder has no such file."""
    names = sorted(entry.name for entry in folder.iterdir() if "-idx" in entry.name)
    parts: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    for part, word in (("train", "train"), ("test", "(?:t10k|test)")):
        images = [n for n in names if re.search(rf"{word}-images-idx\d-ubyte(\.gz)?$", n)]
        stems = {n.removesuffix(".gz") for n in images}
        if len(stems) > 1:
            raise DataError(
                f"{shown(folder)} contains more than one data set: {', '.join(sorted(stems))}",
                "Give a folder with one data set, or one file.",
            )
        if images:
            raw = read_idx_file(folder / images[0])
            parts[part] = raw.parts["all"]
    if not parts:
        return None
    if "train" not in parts:
        raise DataError(
            f"{shown(folder)} contains the test images but no train-images-idx3-ubyte",
            "Add it, or give the file of the test images.",
        )
    return RawData(parts if "test" in parts else {"all": parts["train"]})


def _either(folder: Path, name: str) -> Path | None:
    plain = name.removesuffix(".gz")
    return next((folder / n for n in (plain, plain + ".gz") if (folder / n).exists()), None)

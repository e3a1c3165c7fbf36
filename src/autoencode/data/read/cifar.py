"""CIFAR-10's binary version: six files with records of one label byte and 3·32·32 bytes."""

from __future__ import annotations

import io
import os
import re
from itertools import islice
from pathlib import Path

import numpy as np

from autoencode.data.named.catalogue import SOURCES
from autoencode.data.raw import RawData
from autoencode.errors import DataError
from autoencode.io.files import open_regular, read_up_to, shown
from autoencode.io.memory import check_memory
from autoencode.io.tar import tar_entries

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
_FIRST = 12  # the archive has nine entries
_NAME = re.compile(r"(data_batch_\d+|test_batch)\.bin")


def read_archive(source: Path | np.ndarray) -> RawData:
    """The images in cifar-10-binary.tar.gz, a file or its bytes.

    Raises:
        DataError: files are missing or damaged.
    """
    what = shown(source) if isinstance(source, Path) else "cifar10"
    content: dict[str, np.ndarray] = {}
    with open_regular(source) if isinstance(source, Path) else io.BytesIO(source.data) as file:
        entries = tar_entries(file)
        for entry in entries:
            name = Path(entry.name).name
            if entry.isfile() and not entry.issparse() and _NAME.fullmatch(name):
                check_memory(entry.size, f"{what}: {name}", "Give the archive of CIFAR-10.")
                content[name] = entries.read(entry)
    return _parts(content, what)


def is_batch_archive(path: Path) -> bool:
    """Whether a .tar archive contains files of CIFAR-10 among its first entries.

    Raises:
        DataError: it is damaged.
    """
    with open_regular(path) as file:
        first = islice(tar_entries(file), _FIRST)
        return any(_NAME.fullmatch(Path(entry.name).name) for entry in first)


def is_batch_name(name: str) -> bool:
    """Whether a file of this name is one of the unpacked archive."""
    return _NAME.fullmatch(name) is not None


def read_batches(folder: Path) -> RawData | None:
    """The images of the unpacked archive, cifar-10-batches-bin; None for any other folder."""
    names = [entry.name for entry in folder.iterdir() if is_batch_name(entry.name)]
    if not names:
        return None
    content: dict[str, np.ndarray] = {}
    for name in names:
        with open_regular(folder / name) as file:
            size = os.fstat(file.fileno()).st_size
            check_memory(size, f"{shown(folder)}: {name}", "Give the files of CIFAR-10.")
            content[name] = read_up_to(file, size)
    return _parts(content, shown(folder))


def _parts(content: dict[str, np.ndarray], what: str) -> RawData:
    missing = [n for n in ("data_batch_1.bin", "test_batch.bin") if n not in content]
    if missing:
        raise DataError(f"{what} contains no {' and no '.join(missing)}", "Get it again.")
    for name, batch in content.items():
        if not len(batch) or len(batch) % RECORD:
            raise DataError(
                f"{what}: {name} is cut short: {len(batch):,} bytes are not a multiple of the "
                f"record length, {RECORD:,}",
                "Get it again.",
            )
    parts = {}
    for part, word in (("train", "data"), ("test", "test")):
        batches = [content[name] for name in sorted(content) if name.startswith(word)]
        table = np.concatenate(batches).reshape(-1, RECORD)
        if table[:, 0].max() > 9:
            raise DataError(f"{what}: a label of the {part} part exceeds 9", "Get it again.")
        parts[part] = np.ascontiguousarray(table[:, 1:]).reshape(-1, *SHAPE), table[:, 0]
    return RawData(parts, SOURCES["cifar10"].classes, image_files=True)

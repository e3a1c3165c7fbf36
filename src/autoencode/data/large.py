"""Data larger than memory: prepared once into .npy files, which are memory-mapped.

Each prepared data set has a folder, named by the content of the source and by the options. The
folder appears complete, by renaming; what a killed process leaves is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoencode.data.arrays import as_array, blocks
from autoencode.data.cache import cache_errors, cache_folder, exclusive_folder
from autoencode.data.options import Options
from autoencode.data.preprocessing import Preprocessing
from autoencode.data.raw import RawData
from autoencode.data.read.npy import map_npy, read_npy
from autoencode.data.records import PARTS, Data, Split
from autoencode.data.storage import FileStorage
from autoencode.errors import DataError, RecipeError
from autoencode.io.files import shown
from autoencode.io.memory import gigabytes

# Raised when the same source and options would be prepared differently.
FORMAT = 2
_PER_EXAMPLE = ("y", "context", "factors")


@contextmanager
def temporary_storage() -> Iterator[FileStorage]:
    """A folder to prepare data in, by one process at a time; it is removed at the end.

    Raises:
        DataError: the cache folder cannot be used.
    """
    with exclusive_folder(_root(), "data", "preparing data") as folder:
        yield FileStorage(folder)


def prepared_folder(
    content: str, options: Options, given: Preprocessing | None, divide: bool
) -> Path:
    """The folder of the data that a source of this content and these options give."""
    # Where the source is and where labels come from does not change the content.
    ignored = ("labels", "vectors", "memory")
    record = {name: value for name, value in options.record().items() if name not in ignored}
    parts = [FORMAT, content, record, given and given.to_dict(), divide]
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
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
    if raw.columns:
        sha.update(repr((raw.columns, {part: [*own] for part, own in raw.names.items()})).encode())
        for part, groups in raw.groups.items():
            hash_array(sha, f"{part} groups", groups)
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
            "preprocessing": data.preprocessing and data.preprocessing.to_dict(),
            "names": {name: getattr(data, name).names for name in PARTS},
            "random": [name for name in PARTS if getattr(data, name).random],
        }
        (storage.folder / "data.json").write_text(json.dumps(record, indent=1))
        shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
        os.replace(storage.folder, folder)


def load_prepared(folder: Path, options: Options, name: str, source: str) -> Data | None:
    """The data in a folder, their examples memory-mapped; None if files are missing or damaged."""
    try:
        record = json.loads((folder / "data.json").read_text())
        parts = {
            part: replace(_load_part(folder, part, record["random"]), names=record["names"][part])
            for part in PARTS
        }
        preprocessing = Preprocessing.from_dict(record["preprocessing"])
    except (OSError, ValueError, KeyError, TypeError, DataError, RecipeError):
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
        preprocessing=preprocessing,
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

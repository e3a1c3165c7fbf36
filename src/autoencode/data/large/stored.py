"""Prepared data on the disk: what is larger than memory is prepared once and then only mapped.

A folder for each, named by the content of the source and by the options; it appears whole, by
renaming, and whatever a killed process left behind is swept away by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoencode.data.arrays import as_array, blocks
from autoencode.data.large.mapped import Files, writing
from autoencode.data.cache import cache_folder
from autoencode.data.options import Options
from autoencode.data.read.npy import map_npy, read_npy
from autoencode.data.records import PARTS, Data, Raw, Split
from autoencode.errors import DataError
from autoencode.io.files import shown
from autoencode.io.lock import locked
from autoencode.io.memory import gigabytes

# Raised when the same source and options would be prepared in another way.
FORMAT = 1
PARTIAL = ".part"
_BESIDE = ("y", "context", "factors")


def place(content: str, options: Options) -> Path:
    """The folder of what a source of this content becomes with these options."""
    record = options.record()
    # Where it lies and where labels come from is no part of what it is.
    kept = {name: record[name] for name in record if name not in ("labels", "vectors", "memory")}
    key = hashlib.sha256(json.dumps([FORMAT, content, kept], sort_keys=True).encode()).hexdigest()
    return root() / key[:32]


def root() -> Path:
    """The folder of all that is prepared."""
    return cache_folder() / "mapped"


def content_of(raw: Raw) -> str:
    """SHA-256 over all that a source holds, as 64 hex digits."""
    sha = hashlib.sha256(repr((raw.classes, raw.value_range, raw.unordered)).encode())
    for part, (x, y) in raw.parts.items():
        for name, given in ((part, x), (f"{part} labels", y)):
            add_array(sha, name, given)
    for name, given in {"vectors": raw.vectors, **raw.factors}.items():
        add_array(sha, name, given)
    return sha.hexdigest()


def add_array(sha: Any, name: str, given: Any) -> None:
    """Adds an array of any kind, or None, to a hash."""
    if given is None:
        return
    array = as_array(given, name)
    array = array.astype(str) if array.dtype.kind == "O" else array
    sha.update(f"{name} {array.dtype.str} {array.shape};".encode())
    for _, block in blocks(array) if array.ndim else ():
        sha.update(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


@contextmanager
def alone(within: Path) -> Iterator[None]:
    """Holds off others that would prepare data in this folder; what a kill left there is removed.

    Raises:
        DataError: the folder cannot be used.
    """
    with ExitStack() as stack:
        with writing(within, 0):
            within.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(within / ".lock", doing="preparing data"))
            for stale in within.glob(f"*{PARTIAL}"):
                shutil.rmtree(stale, ignore_errors=True)
        yield


@contextmanager
def making(folder: Path) -> Iterator[Files]:
    """A new folder to write into, which takes its name when all is written.

    Raises:
        ResourceError: the disk is full.
    """
    with passing(folder.parent, folder.name) as files:
        yield files
        with writing(folder.parent, 0):
            shutil.rmtree(folder, ignore_errors=True)  # one that is not whole
            os.replace(files.folder, folder)


@contextmanager
def passing(within: Path, name: str) -> Iterator[Files]:
    """A folder to write into for as long as this lasts; it is called for within `alone`."""
    with writing(within, 0):
        folder = tempfile.mkdtemp(prefix=f"{name}-", suffix=PARTIAL, dir=within)
    try:
        yield Files(Path(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def store(files: Files, data: Data) -> None:
    """Puts beside the examples what else belongs to the data."""
    with writing(files.folder, 0):
        for name in PARTS:
            part = getattr(data, name)
            for what in _BESIDE:
                if (given := getattr(part, what)) is not None:
                    np.save(files.folder / f"{name}.{what}.npy", given.numpy())
        record = {
            "source": shown(data.source),
            "classes": data.classes,
            "fingerprint": data.fingerprint,
            "notices": data.notices,
            "factors": data.factors,
            "unordered": data.unordered,
            "random": [name for name in PARTS if getattr(data, name).random],
        }
        (files.folder / "data.json").write_text(json.dumps(record, indent=1))


def stored(folder: Path, options: Options, name: str, source: str) -> Data | None:
    """The data in a folder, their examples mapped; None where there are none, or not whole."""
    try:
        record = json.loads((folder / "data.json").read_text())
        parts = {part: _part(folder, part, record["random"]) for part in PARTS}
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    size = gigabytes(sum(part.x.numel() * part.x.element_size() for part in parts.values()))
    notices = list(record["notices"])
    if record["source"]:  # the same content may lie elsewhere now
        notices = [text.replace(record["source"], shown(source)) for text in notices]
    notices.append(
        f"The data, {size}, are not held in memory but read from files in {shown(folder)}; "
        "whoever removes them has them made again."
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


def _part(folder: Path, part: str, random: list[str]) -> Split:
    beside: Mapping[str, Any] = {
        what: torch.from_numpy(read_npy(path))
        for what in _BESIDE
        if (path := folder / f"{part}.{what}.npy").exists()
    }
    x = torch.from_numpy(map_npy(folder / f"{part}.npy"))
    return replace(Split(x, None, random=part in random, mapped=True), **beside)

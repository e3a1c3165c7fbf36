"""Finding the image files of a folder: sub-folders are classes, `train` and `test` are parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autoencode.data.read.image import ENDINGS
from autoencode.data.read.keys import PARTS
from autoencode.data.records import BadFile
from autoencode.errors import DataError
from autoencode.io.files import Unusable, reason, shown


@dataclass
class Walk:
    """What is met on the way through a folder."""

    bad: list[BadFile] = field(default_factory=list)
    left_out: int = 0
    seen: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True)
class Found:
    """An image file, with its part and its class."""

    path: str
    part: str
    label: str


def scan(folder: Path, walk: Walk) -> list[Found]:
    """All image files with part and class; folders that only hold folders may be parts."""
    files, folders = _listed(str(folder), walk)
    if folders and {Path(f).name.lower() for f in folders} <= PARTS.keys() and not files:
        parts = [PARTS[Path(f).name.lower()] for f in folders]
        if "train" in parts and len(set(parts)) == len(parts) > 1:
            return [f for n, p in zip(folders, parts, strict=True) for f in _classes(n, p, walk)]
    return _classes(str(folder), "all", walk, (files, folders))


def _classes(
    folder: str, part: str, walk: Walk, listed: tuple[list[str], list[str]] | None = None
) -> list[Found]:
    files, folders = listed or _listed(folder, walk)
    inside = [
        Found(path, part, os.path.basename(name))
        for name in folders
        for path in sorted(_below(name, walk), key=os.fsencode)
    ]
    if files and inside:
        raise DataError(
            f"{shown(folder)} holds {len(files):,} images beside sub-folders with "
            f"{len(inside):,} images, so it is not clear what the classes are",
            "Put all images into sub-folders named by class, or all into the folder itself.",
        )
    return inside or [Found(path, part, "") for path in files]


def _listed(folder: str, walk: Walk) -> tuple[list[str], list[str]]:
    """Image files and folders directly in a folder, sorted by their bytes; hidden ones are not."""
    files: list[str] = []
    folders: list[str] = []
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in walk.seen:
            raise Unusable("it is a link to a folder that is read already")
        walk.seen.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name))
    except OSError as error:
        walk.bad.append(BadFile(shown(folder), reason(error)))
        return files, folders
    except Unusable as error:
        walk.bad.append(BadFile(shown(folder), str(error)))
        return files, folders
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if os.path.isdir(entry.path):
            folders.append(entry.path)
        elif os.path.splitext(entry.name)[1].lower() in ENDINGS:
            files.append(entry.path)
        else:
            walk.left_out += 1
    return files, folders


def _below(folder: str, walk: Walk) -> Iterator[str]:
    """Image files at any depth, without recursion: paths can be deeper than Python's stack."""
    waiting = [folder]
    while waiting:
        files, folders = _listed(waiting.pop(), walk)
        yield from files
        waiting += folders

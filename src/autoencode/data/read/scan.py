"""Search for the image files of a folder: sub-folders are classes, `train` and `test` are parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autoencode.data.read.image import ENDINGS
from autoencode.data.read.keys import PARTS
from autoencode.data.records import BadFile
from autoencode.errors import DataError
from autoencode.io.files import reason, shown


@dataclass(frozen=True)
class ImageFile:
    """An image file with its part and its class."""

    path: str
    part: str
    label: str


class FolderScan:
    """The files below a folder.

    images: in order of parts and classes.
    bad: files and folders that cannot be used; a reader of the images adds to them.
    examined: number of images and of bad files found by the scan.
    ignored: number of files without the suffix of an image.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images: list[ImageFile] = []
        self.bad: list[BadFile] = []
        self.ignored = 0
        self._visited: set[tuple[int, int]] = set()
        files, folders = self._list(str(folder))
        parts = [PARTS.get(os.path.basename(name).lower(), "") for name in folders]
        # Folders are parts if all have the name of a part, `train` is one, and no two are one part.
        if not files and all(parts) and "train" in parts and len({*parts}) == len(parts) > 1:
            for name, part in zip(folders, parts, strict=True):
                self._add_classes(name, part, *self._list(name))
        else:
            self._add_classes(str(folder), "all", files, folders)
        self.examined = len(self.images) + len(self.bad)

    def _add_classes(self, folder: str, part: str, files: list[str], folders: list[str]) -> None:
        inside = [
            ImageFile(path, part, os.path.basename(name))
            for name in folders
            for path in sorted(self._below(name), key=os.fsencode)
        ]
        if files and inside:
            raise DataError(
                f"{shown(folder)} has {len(files):,} images next to sub-folders with "
                f"{len(inside):,} images, so the classes are not clear",
                "Put all images into sub-folders named by class, or all into the folder itself.",
            )
        self.images += inside or [ImageFile(path, part, "") for path in files]

    def _list(self, folder: str) -> tuple[list[str], list[str]]:
        """Image files and folders directly in a folder, sorted by bytes, without hidden ones."""
        files: list[str] = []
        folders: list[str] = []
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in self._visited:
                self.bad.append(BadFile(shown(folder), "it is a link to a folder that was read"))
                return files, folders
            self._visited.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda e: os.fsencode(e.name))
        except OSError as error:
            self.bad.append(BadFile(shown(folder), reason(error)))
            return files, folders
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if os.path.isdir(entry.path):
                folders.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in ENDINGS:
                files.append(entry.path)
            else:
                self.ignored += 1
        return files, folders

    def _below(self, folder: str) -> Iterator[str]:
        """Image files at any depth, without recursion: paths can be deeper than Python's stack."""
        waiting = [folder]
        while waiting:
            files, folders = self._list(waiting.pop())
            yield from files
            waiting += folders

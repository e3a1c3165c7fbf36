"""The files of a folder or of an archive, without hidden ones and leftovers of systems."""

from __future__ import annotations

import fnmatch
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, Self

from autoencode.data.raw import BadFile
from autoencode.data.read.image import ENDINGS
from autoencode.io.files import open_file, read_small, reason, shown

# Folders and files that systems and programs leave, in lower case. Hidden ones begin with a dot.
JUNK = frozenset(["__macosx", "thumbs.db", "desktop.ini", "@eadir", "lost+found", "__pycache__"])
JUNK |= {"$recycle.bin", "system volume information"}


class IgnoreRules:
    """Which names are passed over: hidden ones, leftovers, and what matches a pattern.

    A pattern, as of `fnmatch`, is compared with each part of a path and with the path itself.
    """

    def __init__(self, patterns: Sequence[str] | None) -> None:
        self._patterns = {
            pattern: re.compile(fnmatch.translate(pattern.removeprefix("./").rstrip("/")))
            for pattern in patterns or ()
        }
        self.matches = Counter(dict.fromkeys(self._patterns, 0))
        self._folders: dict[str, bool] = {}

    def __call__(self, path: str) -> bool:
        """Whether a file or folder is passed over, given its relative path."""
        name = path.rpartition("/")[2]
        if name.startswith(".") or name.lower() in JUNK:
            return True
        for pattern, compiled in self._patterns.items():
            if compiled.match(name) or compiled.match(path):
                self.matches[pattern] += 1
                return True
        return False

    def any_of(self, path: str) -> bool:
        """Whether a file, or one of the folders that it is in, is passed over."""
        folder = path.rpartition("/")[0]
        if folder and folder not in self._folders:
            self._folders[folder] = self.any_of(folder)
        return (bool(folder) and self._folders[folder]) or self(path)


Opened = BufferedReader | BytesIO


class ImageTree(ABC):
    """The image files of a source, by their paths relative to it, separated by "/".

    source: a path or a URL.
    images: the paths, in no order.
    bad: files and folders that cannot be used; a reader of the images adds to them.
    others: number of the files that are no images, by ending.
    """

    def __init__(self, source: Path | str, rules: IgnoreRules) -> None:
        self.source, self.rules = source, rules
        self.images: list[str] = []
        self.bad: list[BadFile] = []
        self.others: Counter[str] = Counter()
        # Without the files that only a reader of their pixels finds.
        self.found_bad = 0
        # Of a search that was made before this one was opened.
        self.total: int | None = None

    @property
    def examined(self) -> int:
        """Number of images and of files that the search could not use."""
        return len(self.images) + self.found_bad if self.total is None else self.total

    @abstractmethod
    def open(self, path: str) -> Opened:
        """Open an image.

        Raises:
            Unusable: it cannot be read.
        """

    def read(self, path: str, limit: int) -> bytes:
        """The first bytes of an image, at most `limit`.

        Raises:
            Unusable: it cannot be read.   OSError: it is damaged.
        """
        with self.open(path) as file:
            return file.read(limit)

    def expect(self, paths: Sequence[str]) -> None:  # noqa: B027  # a disk answers at once
        """Say which images are read next, in which order; others may be read too."""

    def shown(self, path: str = "") -> str:
        """The source, or the path of an image in it, as one line of text."""
        return shown(os.path.join(self.source, path) if path else self.source)

    def close(self) -> None:  # noqa: B027  # a folder has nothing open
        """Close what is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def add(self, path: str) -> None:
        """Add a file by its ending."""
        ending = os.path.splitext(path)[1].lower()
        if ending in ENDINGS:
            self.images.append(path)
        else:
            self.others[ending] += 1

    def reject(self, path: str, why: str) -> None:
        """Add a file or folder that cannot be used."""
        self.bad.append(BadFile(self.shown(path), why))
        self.found_bad += 1

    def notices(self) -> list[str]:
        """What was passed over."""
        found = []
        for pattern, count in self.rules.matches.items():
            what = "nothing" if not count else f"{count:,} files or folders, which are left out"
            found.append(f"The pattern {shown(pattern)} of --ignore matches {what}.")
        if self.others:
            found.append(f"{counted(self.others)}.")
        return found


def counted(others: Counter[str]) -> str:
    """Numbers of files by ending, as a sentence.

    >>> counted(Counter({".txt": 10, "": 2}))
    '12 files were not read: 10 .txt, 2 without ending'
    """
    total = sum(others.values())
    listed = [f"{n:,} {shown(e) or 'without ending'}" for e, n in others.most_common(6)]
    rest = len(others) - len(listed)
    more = f" and {rest} more endings" if rest > 0 else ""
    verb = "file was" if total == 1 else "files were"
    return f"{total:,} {verb} not read: {', '.join(listed)}{more}"


class FolderTree(ImageTree):
    """The images of a folder, at any depth; links are followed, each folder is read once.

    outside: further folders to read, which need not be inside.
    search: look for images; without it they are known, and are opened by their paths.
    """

    def __init__(
        self, source: Path, rules: IgnoreRules, outside: Iterable[str] = (), search: bool = True
    ) -> None:
        super().__init__(source, rules)
        self._root = os.path.join(source, "")
        self._visited: set[tuple[int, int]] = set()
        waiting = ["", *outside] if search else []
        # Without recursion: paths can be deeper than Python's stack.
        while waiting:
            waiting += self._list(waiting.pop())

    def open(self, path: str) -> Opened:
        """Open an image.

        Raises:
            Unusable: it cannot be read.
        """
        return open_file(os.path.join(self.source, path))

    def read(self, path: str, limit: int) -> bytes:
        """See `ImageTree.read`."""
        return read_small(f"{self._root}{path}", limit)

    def _list(self, folder: str) -> list[str]:
        """Add the files directly in a folder; the folders in it, the first last."""
        path, folders = os.path.join(self.source, folder), []
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in self._visited:
                self.reject(folder, "it is a link to a folder that was read")
                return []
            self._visited.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda e: os.fsencode(e.name), reverse=True):
                    inside = f"{folder}/{entry.name}" if folder else entry.name
                    if self.rules(inside):
                        continue
                    if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
                        folders.append(inside)
                    else:
                        self.add(inside)
        except OSError as error:
            self.reject(folder, reason(error))
        return folders


class FileTree(ImageTree):
    """One image file."""

    def __init__(self, source: Path) -> None:
        super().__init__(source.parent, IgnoreRules(None))
        self.add(source.name)

    def open(self, path: str) -> Opened:
        """Open the image.

        Raises:
            Unusable: it cannot be read.
        """
        return open_file(os.path.join(self.source, path))

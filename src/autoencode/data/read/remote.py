"""The images of a folder at a URL, got in groups as they are needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from io import BytesIO

from autoencode.data.read.scan import IgnoreRules, ImageTree, Opened
from autoencode.io.files import Unusable, said
from autoencode.io.urls import UrlFolder

# Files that are got together, since each alone would wait for an answer; groups in memory.
GROUP, KEPT = 64, 2


class UrlTree(ImageTree):
    """The images of a folder in a store of objects, at any depth.

    Raises:
        AutoencodeError: the client of the store is not installed.
        RunError: the store does not answer.
    """

    def __init__(self, url: str, rules: IgnoreRules, search: bool = True) -> None:
        super().__init__(url, rules)
        self._folder = UrlFolder(url)
        self._lock = threading.Lock()
        self._groups: list[list[str]] = []
        self._group_of: dict[str, int] = {}
        self._got: dict[int, dict[str, bytes | Exception]] = {}
        for path in self._folder.names() if search else ():
            if not rules.any_of(path):
                self.add(path)

    def expect(self, paths: Sequence[str]) -> None:
        """See `ImageTree.expect`."""
        with self._lock:
            self._got.clear()
            self._groups = [[*paths[i : i + GROUP]] for i in range(0, len(paths), GROUP)]
            self._group_of = {path: n for n, group in enumerate(self._groups) for path in group}

    def open(self, path: str) -> Opened:
        """Open an image.

        Raises:
            Unusable: it cannot be read.
        """
        with self._lock:
            content = self._content(path)
        if isinstance(content, Exception):
            raise Unusable(said(content)) from content
        return BytesIO(content)

    def _content(self, path: str) -> bytes | Exception:
        n = self._group_of.get(path)
        if n is None:  # not expected
            return self._folder.read([path])[0]
        if n not in self._got:
            while len(self._got) >= KEPT:
                del self._got[next(iter(self._got))]
            group = self._groups[n]
            self._got[n] = dict(zip(group, self._folder.read(group), strict=True))
        return self._got[n][path]

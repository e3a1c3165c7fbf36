"""Folders that many workers write to: on a disk that all see, or in a store of objects."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from autoencode.errors import AutoencodeError, RunError
from autoencode.io.files import open_regular
from autoencode.io.store import (
    add_line,
    check_json,
    read_json,
    read_lines,
    write_json,
    write_text,
    writing,
)
from autoencode.io.urls import UrlFolder, is_url

_RECORDS = "_parts"


class OutFolder(ABC):
    """A folder that results are written to, each file whole or not at all. It can be pickled."""

    @abstractmethod
    def __str__(self) -> str:
        """The path or the URL."""

    @abstractmethod
    def create(self) -> None:
        """Makes the folder if it does not exist."""

    @abstractmethod
    def names(self) -> set[str]:
        """The names of all that is in it, of which some may be paths; none if it does not exist.

        Raises:
            AutoencodeError: it is a file.
        """

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""

    @abstractmethod
    def read(self, name: str) -> dict[str, Any]:
        """The object in a JSON file.

        Raises:
            RunError: it is missing or damaged.
        """

    @abstractmethod
    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Writes a JSON file."""

    @abstractmethod
    def open(self, name: str) -> Any:
        """A file, opened to be read in a block; only the parts are read that are asked for."""

    @abstractmethod
    def delete(self, names: Iterable[str]) -> None:
        """Deletes files that are there."""

    @abstractmethod
    def staged(self) -> Any:
        """A block with a folder of this computer, whose files are moved here at its end."""

    @abstractmethod
    def sweep(self) -> None:
        """Deletes what was left by processes that were killed."""

    @abstractmethod
    def record(self, number: int, line: Mapping[str, Any]) -> None:
        """Keeps what was done of a part."""

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """What was kept of parts."""

    @abstractmethod
    def forget_records(self) -> None:
        """Deletes what was kept of parts."""


def out_folder(place: str | Path) -> OutFolder:
    """The folder at a path or URL.

    Raises:
        AutoencodeError: the client that the URL needs is not installed.
    """
    if is_url(place):
        return _InStore(str(place))
    return _OnDisk(Path(place).absolute())


class _OnDisk(OutFolder):
    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def create(self) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def names(self) -> set[str]:
        if self.path.exists() and not self.path.is_dir():
            raise AutoencodeError(f"{self} is a file, and parts need a folder", "Choose another.")
        return set(os.listdir(self.path)) if self.path.exists() else set()

    def has(self, name: str) -> bool:
        return (self.path / name).exists()

    def read(self, name: str) -> dict[str, Any]:
        return read_json(self.path / name)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        write_json(self.path / name, content)

    def open(self, name: str) -> Any:
        return open_regular(self.path / name)

    def delete(self, names: Iterable[str]) -> None:
        with writing(self.path):
            for name in names:
                (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def staged(self) -> Iterator[Path]:
        # In the folder, so that files can be moved.
        temporary = self.path / f".part-{uuid.uuid4().hex}"
        try:
            with writing(self.path):
                yield temporary
                for root, _, names in os.walk(temporary):
                    target = self.path / Path(root).relative_to(temporary)
                    target.mkdir(parents=True, exist_ok=True)
                    for name in names:
                        (Path(root) / name).replace(target / name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def sweep(self) -> None:
        for path in self.path.glob(".part-*"):
            shutil.rmtree(path, ignore_errors=True)

    @property
    def _lines(self) -> Path:
        return self.path / f"{_RECORDS}.jsonl"

    def record(self, number: int, line: Mapping[str, Any]) -> None:
        add_line(self._lines, line)

    def records(self) -> list[dict[str, Any]]:
        found = read_lines(self._lines)
        if found:
            # Without a line that was cut off, so that others can follow.
            write_text(self._lines, "".join(f"{json.dumps(line)}\n" for line in found))
        return found

    def forget_records(self) -> None:
        self.delete([self._lines.name])


class _InStore(OutFolder):
    """A folder in a store of objects, where nothing is renamed and no file grows."""

    def __init__(self, url: str) -> None:
        self._folder = UrlFolder(url)

    def __str__(self) -> str:
        return str(self._folder)

    def create(self) -> None:
        """There are no folders without files."""

    def names(self) -> set[str]:
        return set(self._folder.names())

    def has(self, name: str) -> bool:
        return self._folder.exists(name)

    def read(self, name: str) -> dict[str, Any]:
        return self._json([name])[0]

    def _json(self, names: list[str]) -> list[dict[str, Any]]:
        found = []
        for name, content in zip(names, self._folder.read(names), strict=True):
            where = f"{self}/{name}"
            if isinstance(content, Exception):
                raise RunError(f"{where} cannot be read: {content}") from content
            try:
                value = json.loads(content)
                check_json(value, allow_nan=False)
            except (ValueError, RecursionError, AttributeError) as error:
                raise RunError(f"{where} cannot be read as JSON ({error})") from error
            found.append(value)
        return found

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        self._folder.write(name, json.dumps(content, indent=2, allow_nan=False).encode())

    def open(self, name: str) -> IO[bytes]:
        return self._folder.open(name)

    def delete(self, names: Iterable[str]) -> None:
        self._folder.remove([*names])

    @contextmanager
    def staged(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="autoencode-") as temporary:
            new = Path(temporary) / "new"
            yield new
            files = [path for path in sorted(new.rglob("*")) if path.is_file()]
            self._folder.send([(str(path), path.relative_to(new).as_posix()) for path in files])

    def sweep(self) -> None:
        """What is not sent completely is not there."""

    def record(self, number: int, line: Mapping[str, Any]) -> None:
        self.write(f"{_RECORDS}/{number:05d}.json", line)

    def _recorded(self) -> list[str]:
        return [name for name in self._folder.names() if name.startswith(f"{_RECORDS}/")]

    def records(self) -> list[dict[str, Any]]:
        return self._json(self._recorded())

    def forget_records(self) -> None:
        self.delete(self._recorded())

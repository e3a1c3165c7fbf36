"""Files at URLs such as s3://bucket/folder, through fsspec."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from autoencode.errors import AutoencodeError, RunError
from autoencode.io.files import Unusable, said, shown

# Not a drive of Windows, which is one letter.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(place: object) -> bool:
    r"""Whether a place is given by a URL and not by a path.

    >>> is_url("s3://bucket/images"), is_url("images"), is_url("C:\\images"), is_url("hf:me/vae")
    (True, False, False, False)
    """
    return isinstance(place, str) and _URL.match(place) is not None


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Replaces what clients of stores raise, which is of any type, by errors that name the URL.

    Raises:
        AutoencodeError: the client is not installed, or nobody knows the kind of URL.
        RunError: nothing is there, it may not be used, or the store does not answer.
    """
    try:
        yield
    except (AutoencodeError, Unusable, MemoryError):
        raise
    except ImportError as error:
        raise AutoencodeError(
            f"{shown(url)} needs a package that is not installed",
            f"{said(error)}; for s3://: pip install s3fs.",
        ) from error
    except FileNotFoundError as error:
        raise RunError(f"{shown(url)} does not exist", "Give the URL of a folder.") from error
    except Exception as error:
        raise RunError(
            f"{shown(url)} cannot be used: {said(error)}",
            "Correct the address, or the settings and credentials that fsspec and its client take "
            "from the environment.",
        ) from error


class UrlFolder:
    """A folder in a store of objects: files by their names in it. A missing one is an empty one."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __str__(self) -> str:
        return self.url

    @property
    def _at(self) -> tuple[Any, str]:
        """The client, of which fsspec keeps one in each process, and the path."""
        from fsspec.core import url_to_fs

        fs, path = url_to_fs(self.url)
        return fs, path.rstrip("/")

    def _path(self, name: str) -> str:
        return posixpath.join(self._at[1], name)

    def names(self) -> list[str]:
        """The names of all files, at any depth, as they are now."""
        with asking(self.url):
            fs, path = self._at
            fs.invalidate_cache()
            try:
                found = fs.find(path)
            except FileNotFoundError:
                return []
            return [name[len(path) :].lstrip("/") for name in found if len(name) > len(path)]

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name, now."""
        with asking(self.url):
            fs = self._at[0]
            fs.invalidate_cache()
            return bool(fs.isfile(self._path(name)))

    def read(self, names: Sequence[str]) -> list[bytes | Exception]:
        """The contents of files, got together; an error in place of what cannot be read."""
        with asking(self.url):
            paths = [self._path(name) for name in names]
            found = self._at[0].cat(paths, on_error="return") if paths else {}
            if not isinstance(found, dict):  # of one file
                return [found]
            return [found.get(path, FileNotFoundError("it does not exist")) for path in paths]

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, which in a store of objects is there whole or not at all."""
        with asking(self.url):
            # No folder is made first: stores of objects have none, and a bucket that does not exist
            # would be made of a name that is spelt wrongly.
            self._at[0].pipe_file(self._path(name), content)

    def send(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Writes files of this computer, given with their new names, several at a time."""
        with asking(self.url):
            self._at[0].put([path for path, _ in pairs], [self._path(name) for _, name in pairs])

    def open(self, name: str = "") -> IO[bytes]:
        """A file of which only the parts are got that are read; "" is the file at the URL."""
        with asking(self.url):
            fs, path = self._at
            file: IO[bytes] = fs.open(self._path(name) if name else path, "rb")
            return file

    def remove(self, names: Sequence[str]) -> None:
        """Deletes files."""
        with asking(self.url):
            if names:
                self._at[0].rm([self._path(name) for name in names])

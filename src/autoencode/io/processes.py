"""The processes of one training, as `torchrun` describes them in environment variables."""

from __future__ import annotations

import os
from typing import NamedTuple

from autoencode.errors import RunError

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Place(NamedTuple):
    """The place of this process among those of one training.

    rank: its number, from 0.   size: number of processes.
    local_rank, local_size: the same among the processes of this machine.
    may_restart: whether the processes are started again after one of them has failed.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    may_restart: bool


def place() -> Place | None:
    """The place of this process; None if it trains alone.

    Raises:
        RunError: the environment has some of the variables, or values that are no numbers.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size == "1":
        return None
    fix = (
        "Start the processes with torchrun: torchrun --nproc-per-node 2 -m autoencode train …, or "
        "remove the variable: unset WORLD_SIZE"
    )
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise RunError(
            f"The environment variable WORLD_SIZE is {size!r}, so this is one of several processes "
            f"of a training, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} "
            "not set",
            fix,
        )
    number = {"RANK": -1, "WORLD_SIZE": 0, "MASTER_PORT": 0}
    for name in number:
        if not (os.environ[name].isascii() and os.environ[name].isdecimal()):
            raise RunError(
                f"The environment variable {name} is {os.environ[name]!r}, and no number", fix
            )
        number[name] = int(os.environ[name])
    rank, world = number["RANK"], number["WORLD_SIZE"]
    if rank >= world:
        raise RunError(
            f"The environment variable RANK is {rank}, and of {world} processes (WORLD_SIZE) the "
            f"ranks are 0 to {world - 1}",
            fix,
        )
    return Place(
        rank,
        world,
        _number("LOCAL_RANK", 0),
        _number("LOCAL_WORLD_SIZE", 1),
        _number("TORCHELASTIC_MAX_RESTARTS", 0) > 0,
    )


def is_first() -> bool:
    """Whether this process prints and writes: the first of several, or one that trains alone."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or _number("RANK", 0) == 0


def is_first_here() -> bool:
    """Whether this process is the first of its machine."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or _number("LOCAL_RANK", 0) == 0


def by_torchrun() -> bool:
    """Whether `torchrun` started this process and others."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() else default

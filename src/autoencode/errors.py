"""The exceptions of the package. Each message states the problem, its cause and a fix.

The command line prints the message and exits with the error's `exit_code`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class AutoencodeError(Exception):
    """Base class of all errors that the user can fix (exit code 2).

    >>> import autoencode as ae
    >>> try:
    ...     ae.fit("vea", "digits")
    ... except ae.AutoencodeError as error:
    ...     print(error)
    There is no recipe "vea". Did you mean "vae"?
    """

    exit_code = 2
    # Whether all processes of one training raise this error; None if they have not joined yet.
    agreed: bool | None = None

    def __init__(self, what: str, fix: str = "") -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what.rstrip('.')}. {fix}".rstrip() if fix else what)

    def __reduce__(self) -> tuple[Any, ...]:
        """Supports pickling, so that an error can be passed between processes."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class DataError(AutoencodeError):
    """The data cannot be used in their present form."""


class RecipeError(AutoencodeError):
    """A recipe names a part or argument that does not exist, or combines incompatible parts."""


class RunError(AutoencodeError):
    """A run folder or one of its files is missing, damaged, in use, or of another version."""


class Diverged(AutoencodeError):
    """The loss or the codes are not finite (exit code 3)."""

    exit_code = 3


class ResourceError(AutoencodeError):
    """Not enough memory or disk space (exit code 4)."""

    exit_code = 4


class ParityError(AutoencodeError):
    """An exported file does not compute what its model computes (exit code 1)."""

    exit_code = 1


class Interrupted(AutoencodeError):
    """A signal stopped the program; finished work is saved (exit code 128 + signal)."""

    def __init__(self, what: str, fix: str = "", *, signal: int) -> None:
        super().__init__(what, fix)
        self.exit_code = 128 + signal


class Pruned(AutoencodeError):
    """A rule ended a training before its last step; the training can be resumed (exit code 2)."""


def is_disk_full(error: OSError) -> bool:
    """Whether an error means that the disk is full or a disk quota is exceeded."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of Python or torch means that the CPU or a device is out of memory."""
    by_type = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return by_type or "DefaultCPUAllocator" in str(error)


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that is most similar to `name`; None if no choice is similar.

    >>> nearest("vea", ["ae", "vae", "conv-ae"])
    'vae'
    """
    near = get_close_matches(str(name), sorted(choices), n=1, cutoff=0.55)
    return near[0] if near else None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A hint that names the most similar choice, or all choices if none is similar.

    >>> did_you_mean("vea", ["ae", "vae", "conv-ae"])
    'Did you mean "vae"?'
    >>> did_you_mean("xyz", ["ae", "vae"])
    'Choose one of: ae, vae.'
    """
    options = sorted(choices)
    near = nearest(name, options)
    return f'Did you mean "{near}"?' if near else f"Choose one of: {', '.join(options)}."

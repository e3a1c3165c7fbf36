"""One family of errors: each says what is wrong, why, and what to do about it.

The command line prints the sentence and leaves with the error's `exit_code`; in Python they are
ordinary exceptions with the same text.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class AutoencodeError(Exception):
    """Base of all errors that the user can mend: an option, the data, a model file (exit 2)."""

    exit_code = 2

    def __init__(self, what: str, fix: str = "") -> None:
        self.what, self.fix = what, fix
        super().__init__(f"{what.rstrip('.')}. {fix}".rstrip() if fix else what)

    def __reduce__(self) -> tuple[Any, ...]:
        """Crosses to another process with all that it says."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class DataError(AutoencodeError):
    """The data cannot be used as they are."""


class RecipeError(AutoencodeError):
    """A recipe names what does not exist, or combines parts that have no meaning together."""


class RunError(AutoencodeError):
    """A run folder or a file in it is missing, damaged, in use, or of another version."""


class Diverged(AutoencodeError):
    """Training met a loss that is not finite (exit code 3)."""

    exit_code = 3


class ResourceError(AutoencodeError):
    """Memory or disk ran out (exit code 4)."""

    exit_code = 4


class Interrupted(AutoencodeError):
    """A signal stopped the work; what was done is saved (exit code 128 + signal)."""

    def __init__(self, what: str, fix: str = "", *, signal: int) -> None:
        super().__init__(what, fix)
        self.exit_code = 128 + signal


def is_disk_full(error: OSError) -> bool:
    """Whether the system says with this error that there is no room: of the disk or of a quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch says with this exception that memory ran out, here or on a device."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "DefaultCPUAllocator" in str(error)


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that is spelt most like `name`; None when no choice is near.

    >>> nearest("vea", ["ae", "vae", "conv-ae"])
    'vae'
    """
    near = get_close_matches(str(name), sorted(choices), n=1, cutoff=0.55)
    return near[0] if near else None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A sentence that names the nearest choice, or all of them when none is near.

    >>> did_you_mean("vea", ["ae", "vae", "conv-ae"])
    'Did you mean "vae"?'
    >>> did_you_mean("xyz", ["ae", "vae"])
    'Choose one of: ae, vae.'
    """
    known = sorted(choices)
    near = nearest(name, known)
    return f'Did you mean "{near}"?' if near else f"Choose one of: {', '.join(known)}."

"""What the command says, and how."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from autoencode.errors import ResourceError


def say(text: str = "") -> None:
    """Prints a line; a reader that has gone away (`| head -1`) is no fault.

    Raises:
        ResourceError: what standard output leads to is full.
    """
    try:
        print(_printable(text, sys.stdout), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise ResourceError(f"The output cannot be written: {error.strerror}") from error


def say_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints indented JSON, nothing else."""
    plain = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
    say(json.dumps(content, indent=2, ensure_ascii=plain, allow_nan=False))


def complain(kind: str, text: str) -> None:
    """Prints a sentence to standard error, if there is still someone to read it."""
    with suppress(OSError):
        print(_printable(f"{kind}: {text}", sys.stderr), file=sys.stderr, flush=True)


def _printable(text: str, stream: Any) -> str:
    """The text with what the terminal's encoding lacks written as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)

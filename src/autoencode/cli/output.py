"""How the command prints lines, JSON and messages."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, TextIO

from autoencode.errors import ResourceError


def print_line(text: str = "") -> None:
    """Prints a line to standard output; a reader that has closed it (`| head -1`) is no error.

    Raises:
        ResourceError: the file or disk behind standard output is full.
    """
    try:
        print(_printable(text, sys.stdout), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise ResourceError(f"The output cannot be written: {error.strerror}") from error


def print_row(title: str, value: object) -> None:
    """Prints a title and a value, in the columns of the summary of a run."""
    print_line(f"{title:20s} {value}")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())
    return lines


def print_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints indented JSON and nothing else."""
    plain = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
    print_line(json.dumps(content, indent=2, ensure_ascii=plain, allow_nan=False))


def print_message(kind: Literal["error", "warning", "note"], text: str) -> None:
    """Prints a sentence to standard error, if standard error is still open."""
    with suppress(OSError):
        print(_printable(f"{kind}: {text}", sys.stderr), file=sys.stderr, flush=True)


def _printable(text: str, stream: TextIO) -> str:
    """The text, with escapes for the characters that the terminal's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)

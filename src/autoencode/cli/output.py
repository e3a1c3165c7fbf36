"""How the command prints lines, JSON and messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from json import dumps
from typing import Any, Literal, TextIO

from autoencode.errors import ResourceError
from autoencode.io.processes import is_first


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


def row(title: str, value: object) -> str:
    """A line with a title and a value, in the columns of the summary of a run."""
    return f"{title:20s} {value}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows of a table as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *cells]).rstrip())
    return lines


def print_result(
    content: Mapping[str, Any] | Sequence[Any], lines: Iterable[str], json: bool
) -> None:
    """Prints what a verb has found: in lines for a person, or as indented JSON and nothing else."""
    if json:
        plain = (getattr(sys.stdout, "encoding", None) or "utf-8").lower() != "utf-8"
        lines = [dumps(content, indent=2, ensure_ascii=plain, allow_nan=False)]
    for line in lines:
        print_line(line)


def print_message(kind: Literal["error", "warning", "note"], text: str) -> None:
    """Prints a sentence to standard error, if standard error is still open.

    Of several processes that train one model, the first one prints notes and warnings.
    """
    if kind != "error" and not is_first():
        return
    with suppress(OSError):
        print(_printable(f"{kind}: {text}", sys.stderr), file=sys.stderr, flush=True)


def print_notes(notices: Iterable[str]) -> None:
    """Prints what was converted or skipped."""
    for notice in notices:
        print_message("note", notice)


def _printable(text: str, stream: TextIO) -> str:
    """The text, with escapes for the characters that the terminal's encoding lacks."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)

"""What the command says, and how."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def say(text: str = "") -> None:
    """Prints a line; a reader that has gone away (`| head -1`) is no fault."""
    try:
        print(_printable(text, sys.stdout), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def say_json(content: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints indented JSON, nothing else."""
    say(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def complain(kind: str, text: str) -> None:
    """Prints a sentence to standard error."""
    print(_printable(f"{kind}: {text}", sys.stderr), file=sys.stderr)


def _printable(text: str, stream: Any) -> str:
    """The text with what the terminal's encoding lacks written as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, errors="backslashreplace").decode(encoding)

"""What the verbs that write parts on many workers have in common."""

from __future__ import annotations

from pathlib import Path

from autoencode.errors import AutoencodeError


def source_of_parts(data: str | None, out: Path, overwrite: bool) -> str:
    """The source that is used in parts.

    Raises:
        AutoencodeError: the options do not go with parts.
    """
    if data is None:
        raise AutoencodeError("Only new data are used in parts", "Give --data.")
    if out.suffix:
        raise AutoencodeError(
            f"With --workers and --cluster parts are written into a folder, and {out} is the name "
            "of a file",
            f"Give a folder: --out {out.with_suffix('')}.",
        )
    if overwrite:
        raise AutoencodeError(
            "Parts are not overwritten: the same command goes on with them",
            "Leave out --overwrite, or delete the folder.",
        )
    return data

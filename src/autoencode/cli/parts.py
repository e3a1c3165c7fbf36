"""What the verbs that write parts on many workers have in common."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from autoencode.errors import AutoencodeError


def local(out: str) -> Path:
    """The path that one process writes to.

    Raises:
        AutoencodeError: it is a URL.
    """
    from autoencode.io.urls import is_url  # loads numpy, which --help does without

    if is_url(out):
        raise AutoencodeError(
            f"{out} is a URL, and only parts are written to URLs", "Give --workers too."
        )
    return Path(out)


def source_of_parts(data: str | None, out: str, overwrite: bool) -> str:
    """The source that is used in parts.

    Raises:
        AutoencodeError: the options do not go with parts.
    """
    if data is None:
        raise AutoencodeError("Only new data are used in parts", "Give --data.")
    if suffix := PurePosixPath(out).suffix:
        raise AutoencodeError(
            f"With --workers and --cluster parts are written into a folder, and {out} is the name "
            "of a file",
            f"Give a folder: --out {out.removesuffix(suffix)}.",
        )
    if overwrite:
        raise AutoencodeError(
            "Parts are not overwritten: the same command goes on with them",
            "Leave out --overwrite, or delete the folder.",
        )
    return data

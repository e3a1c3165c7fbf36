"""`autoencode pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.options import Overwrite
from autoencode.cli.output import print_line, print_message
from autoencode.cli.push import Repository


def pull(
    repository: Repository,
    out: Annotated[Path, typer.Option(help="Folder of the run to write.")],
    revision: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Branch, tag or commit.", show_default="the newest"),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Copy a run from the Hugging Face hub into a folder.

    Only files of a run are copied, after a check of their sizes, checksums and contents. The code
    of a custom network is copied and not executed.

    Example: autoencode pull me/vae-mnist --out runs/vae-mnist
    """
    from autoencode.use.hub import pull as pull_run

    done = pull_run(repository, out, revision=revision, overwrite=overwrite)
    for notice in done.notices:
        print_message("note", notice)
    print_line(f"{done.folder}: a copy of {repository}, commit {done.commit[:7]}")

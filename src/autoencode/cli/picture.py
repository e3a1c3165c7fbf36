"""What the verbs that write a picture have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.output import print_message
from autoencode.errors import AutoencodeError

if TYPE_CHECKING:
    from autoencode.data import Data
    from autoencode.models.run import Run

Picture = Annotated[Path, typer.Option(help="Picture to write, .png or .webp.")]
ImageCount = Annotated[int, typer.Option("--n", min=1, max=10_000, help="Number of images.")]


def check_picture(out: Path, overwrite: bool) -> None:
    """Refuses to replace a file, unless `overwrite` is given.

    Raises:
        AutoencodeError: the file exists.
    """
    if out.exists() and not overwrite:
        raise AutoencodeError(
            f"{out} exists", "Choose another --out, or replace it with --overwrite."
        )


def data_of(
    run: Run, source: str | None, options: dict[str, Any], *, training: bool = True
) -> Data:
    """The data at `source`, preprocessed as in training, or those that the run was trained on.

    training: whether the training part is needed.
    """
    data = run.data_for(source, training=training, **options)
    for notice in data.notices if source is not None else ():
        print_message("note", notice)
    return data

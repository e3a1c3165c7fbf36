"""What the verbs that write a picture, or rows of a table, have in common."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.output import print_message
from autoencode.errors import AutoencodeError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from autoencode.data import Data
    from autoencode.models.run import Run

Picture = Annotated[
    Path, typer.Option(help="Picture to write, .png or .webp; for models of tables, .csv.")
]
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


def save_images(
    run: Run,
    x: Tensor,
    out: Path,
    picture: Callable[[Tensor], Image],
    names: Iterable[str] | None = None,
) -> tuple[Path, str]:
    """Writes examples [N, *X] as a picture; of a model of a table, as rows in the table's units.

    Returns the path, and "images" or "rows".

    picture: from images in [0, 1] to the picture.
    names: of the rows.

    Raises:
        AutoencodeError: the ending of `out` is that of another kind of file.
    """
    from autoencode.io.csv_cells import csv_cell
    from autoencode.io.folders import sweep_beside
    from autoencode.io.store import write_bytes
    from autoencode.report.pictures import save_picture

    preprocessing = run.preprocessing
    if preprocessing is None or not preprocessing.is_table:
        return save_picture(picture(x.clamp(0, 1)), out), "images"
    if out.suffix.lower() != ".csv":
        raise AutoencodeError(
            f"{run.folder} is a model of a table, and rows are no pictures",
            f"Write a table: --out {out.with_suffix('.csv')}",
        )
    file = StringIO()
    writer = csv.writer(file)
    header, rows = (
        [column.name for column in preprocessing.columns],
        preprocessing.inverse(x).tolist(),
    )
    if names is not None:
        header = ["name", *header]
        rows = [[name, *row] for name, row in zip(names, rows, strict=True)]
    writer.writerows(map(csv_cell, row) for row in [header, *rows])
    sweep_beside(out)
    write_bytes(out, file.getvalue().encode(errors="backslashreplace"))
    return out, "rows"

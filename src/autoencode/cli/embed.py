"""`autoencode embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line
from autoencode.data.options import ReadOptions


@takes(options=ReadOptions)
def embed(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .parquet, .npz, or .npy without names.")
    ] = Path("codes.csv"),
    data: OtherSource = None,
    scale: Annotated[
        bool, typer.Option("--scale", help="Write the posterior's standard deviations too.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the codes of data, with the names of the examples.

    Of new data all examples are encoded; without --data, the test examples of the run. Memory does
    not grow with the number of images in a folder.

    Example: autoencode embed runs/vae-mnist --data photos --out codes.parquet
    """
    from autoencode.cli.used import opened
    from autoencode.use.codes import write_codes

    used = opened(run, data, options, out, overwrite)
    n, notices = write_codes(used.model, used.data, out, scale, overwrite, **used.options)
    used.note(notices)
    shape = "×".join(map(str, used.model.sizes.z))
    print_line(f"{out}: codes of {n:,} examples, {shape} numbers each")

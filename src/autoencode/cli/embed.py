"""`autoencode embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line, print_message
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError


@takes(options=ReadOptions)
def embed(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .csv, .parquet, .npz, or .npy without names; with --workers or "
            "--cluster a folder of .parquet files."
        ),
    ] = Path("codes.csv"),
    data: OtherSource = None,
    scale: Annotated[
        bool, typer.Option("--scale", help="Write the posterior's standard deviations too.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Encode a folder of images in parts, in so many processes of this computer.",
            show_default="this process",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Encode a folder of images in parts, on the workers of a Dask scheduler, such as "
            "tcp://HOST:8786.",
            show_default="this computer",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the codes of data, with the names of the examples.

    Of new data all examples are encoded; without --data, the test examples of the run. Memory does
    not grow with the number of images in a folder.

    With --workers or --cluster, many processes write a folder of parts; the same command goes on
    where it was stopped.

    Example: autoencode embed runs/vae-mnist --data photos --out codes.parquet
    """
    if workers is not None or cluster is not None:
        _in_parts(run, data, options, out, workers, cluster, scale, overwrite)
        return
    from autoencode.cli.used import opened
    from autoencode.use.codes import write_codes

    used = opened(run, data, options, out, overwrite)
    n, notices = write_codes(used.model, used.data, out, scale, overwrite, **used.options)
    used.note(notices)
    shape = "×".join(map(str, used.model.sizes.z))
    print_line(f"{out}: codes of {n:,} examples, {shape} numbers each")


def _in_parts(
    run: Path,
    data: str | None,
    options: dict[str, Any],
    out: Path,
    workers: int | None,
    cluster: str | None,
    scale: bool,
    overwrite: bool,
) -> None:
    if data is None:
        raise AutoencodeError("Only new data are encoded in parts", "Give --data.")
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
    from autoencode.scale.collections import write_codes_in_parts

    n, notices = write_codes_in_parts(
        run, data, out, workers=workers, cluster=cluster, scale=scale, **options
    )
    for notice in notices:
        print_message("note", notice)
    print_line(f"{out}: codes of {n:,} examples, parts in {out / 'manifest.json'}")

"""`autoencode embed`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from autoencode.cli.options import (
    OtherSource,
    Overwrite,
    PartCluster,
    PartWorkers,
    RunFolder,
    takes,
)
from autoencode.cli.output import print_line, print_notes
from autoencode.cli.parts import local, source_of_parts
from autoencode.data.options import ReadOptions


@takes(options=ReadOptions)
def embed(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="File to write: .csv, .parquet, .npz, or .npy without names; with --workers or "
            "--cluster a folder of .parquet files, also at a URL.",
        ),
    ] = "codes.csv",
    data: OtherSource = None,
    scale: Annotated[
        bool, typer.Option("--scale", help="Write the posterior's standard deviations too.")
    ] = False,
    workers: PartWorkers = None,
    cluster: PartCluster = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the codes of data, with the names of the examples.

    Of new data all examples are encoded; without --data, the test examples of the run. Memory does
    not grow with the number of images in a folder.

    With --workers or --cluster, many processes write a folder of parts; the same command goes on
    where it was stopped. Folders and archives at URLs, such as s3://bucket/photos, are opened
    through fsspec.

    Example: autoencode embed runs/vae-mnist --data photos --out codes.parquet
    """
    if workers is not None or cluster is not None:
        from autoencode.scale.collections import write_codes_in_parts

        source = source_of_parts(data, out, overwrite)
        n, notices = write_codes_in_parts(
            run, source, out, workers=workers, cluster=cluster, scale=scale, **options
        )
        print_notes(notices)
        print_line(f"{out}: codes of {n:,} examples, in parts")
        return
    from autoencode.cli.used import opened
    from autoencode.use.codes import write_codes

    used = opened(run, data, options, local(out), overwrite)
    n, notices = write_codes(used.model, used.data, out, scale, overwrite, **used.options)
    print_notes(notices)
    shape = "×".join(map(str, used.model.sizes.z))
    print_line(f"{out}: codes of {n:,} examples, {shape} numbers each")

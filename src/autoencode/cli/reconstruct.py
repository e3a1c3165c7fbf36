"""`autoencode reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from autoencode.cli.picture import ImageCount
from autoencode.data.options import ReadOptions

if TYPE_CHECKING:
    from autoencode.models.run import Run

Reconstructions = Annotated[
    str,
    typer.Option(
        metavar="PATH",
        help="A folder for image files, with --workers or --cluster also at a URL; an .npy array; "
        "a .csv or .parquet table; or a picture of pairs, .png or .webp.",
    ),
]


@takes(options=ReadOptions)
def reconstruct(
    run: RunFolder,
    options: dict[str, Any],
    out: Reconstructions = "reconstructions.png",
    n: ImageCount = 20,
    data: OtherSource = None,
    workers: PartWorkers = None,
    cluster: PartCluster = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the reconstructions of data: as images, an array, table rows, or a picture of pairs.

    They are in the units and the type of the data. Of new data all examples are reconstructed;
    without --data, the test examples of the run. With an ending of pictures, the first --n
    originals are drawn above their reconstructions.

    With --workers or --cluster, many processes write a folder of images; the same command goes on
    where it was stopped.

    Example: autoencode reconstruct runs/vae-mnist --out pairs.png
    """
    if workers is not None or cluster is not None:
        write_parts(run, options, out, data, overwrite, workers, cluster, "reconstructed")
    else:
        write(run, options, out, n, data, overwrite, "reconstructed")


def write(
    run: Path,
    options: dict[str, Any],
    out: str,
    n: int,
    source: str | None,
    overwrite: bool,
    verb: str,
) -> None:
    """Writes the reconstructions, and prints what was written."""
    from autoencode.cli.used import opened
    from autoencode.use.reconstructions import PICTURES, write_reconstructions

    path = local(out)
    used = opened(run, source, options, path, overwrite)
    _check_denoises(used.run, verb)
    done = write_reconstructions(used.model, used.data, out, overwrite, n, **used.options)
    print_notes(done.notices)
    table = used.model.preprocessing is not None and used.model.preprocessing.is_table
    what = "examples" if used.model.sizes.image is None else "images"
    values = "scaled values" if table else "values" if what == "examples" else "pixels"
    shown = f"{done.n:,} {'rows' if table else what} {verb}"
    if path.suffix.lower() in PICTURES:
        shown = f"the first {min(n, done.n)} of {shown}, below the originals"
    _print(out, shown, done.error, values, verb)


def write_parts(
    run: Path,
    options: dict[str, Any],
    out: str,
    data: str | None,
    overwrite: bool,
    workers: int | None,
    cluster: str | None,
    verb: str,
) -> None:
    """Has many workers write the reconstructions, and prints what was written."""
    from autoencode.models.run import open_run
    from autoencode.scale.collections import write_reconstructions_in_parts

    source = source_of_parts(data, out, overwrite)
    _check_denoises(open_run(run), verb)
    done = write_reconstructions_in_parts(
        run, source, out, workers=workers, cluster=cluster, **options
    )
    print_notes(done.notices)
    _print(out, f"{done.n:,} images {verb}, in parts", done.error, "pixels", verb)


def _check_denoises(run: Run, verb: str) -> None:
    from autoencode.use.reconstructions import check_finds_noise

    if verb == "denoised":
        check_finds_noise(run.recipe)
    if verb == "denoised" and run.recipe.corruption is None:
        print_notes(
            [f"{run.folder} was not trained to remove noise: its recipe has no corruption."]
        )


def _print(out: str, shown: str, error: float, values: str, verb: str) -> None:
    of = "between input and output " if verb == "denoised" else ""
    print_line(f"{out}: {shown}; MSE {of}{error:.4g} (squared error summed over {values})")

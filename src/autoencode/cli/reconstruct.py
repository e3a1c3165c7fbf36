"""`autoencode reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import ImageCount
from autoencode.data.options import ReadOptions

Reconstructions = Annotated[
    Path,
    typer.Option(
        help="A folder for image files, an .npy array, a .csv or .parquet table, or a picture of "
        "pairs, .png or .webp."
    ),
]


@takes(options=ReadOptions)
def reconstruct(
    run: RunFolder,
    options: dict[str, Any],
    out: Reconstructions = Path("reconstructions.png"),
    n: ImageCount = 20,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the reconstructions of data: as images, an array, table rows, or a picture of pairs.

    They are in the units and the type of the data. Of new data all examples are reconstructed;
    without --data, the test examples of the run. With an ending of pictures, the first --n
    originals are drawn above their reconstructions.

    Example: autoencode reconstruct runs/vae-mnist --out pairs.png
    """
    write(run, options, out, n, data, overwrite, "reconstructed")


def write(
    run: Path,
    options: dict[str, Any],
    out: Path,
    n: int,
    source: str | None,
    overwrite: bool,
    verb: str,
) -> None:
    """Writes the reconstructions, and prints what was written."""
    from autoencode.cli.used import opened
    from autoencode.use.reconstructions import PICTURES, write_reconstructions

    used = opened(run, source, options, out, overwrite)
    if verb == "denoised" and used.run.recipe.corruption is None:
        used.note([f"{run} was not trained to remove noise: its recipe has no corruption."])
    done = write_reconstructions(used.model, used.data, out, overwrite, n, **used.options)
    used.note(done.notices)
    table = used.model.preprocessing is not None and used.model.preprocessing.is_table
    what = "examples" if used.model.sizes.image is None else "images"
    values = "scaled values" if table else "values" if what == "examples" else "pixels"
    shown = f"{done.n:,} {'rows' if table else what} {verb}"
    if out.suffix.lower() in PICTURES:
        shown = f"the first {min(n, done.n)} of {shown}, below the originals"
    of = "between input and output " if verb == "denoised" else ""
    print_line(f"{out}: {shown}; MSE {of}{done.error:.4g} (squared error summed over {values})")

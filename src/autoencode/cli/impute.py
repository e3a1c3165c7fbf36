"""`autoencode impute`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, Seed, takes
from autoencode.cli.output import print_line, print_notes
from autoencode.data.options import ReadOptions


@takes(options=ReadOptions)
def impute(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .parquet or .npy.")] = Path(
        "imputed.csv"
    ),
    data: OtherSource = None,
    samples: Annotated[int, typer.Option(min=1, help="Codes drawn for each row.")] = 200,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fill in the missing values of a table, with a model that was trained with missing values.

    All columns of the table are written, in its own units; cells with a value stay as they are.

    Example: autoencode impute runs/missing-iwae-patients --data patients.csv --out complete.csv
    """
    from autoencode.cli.used import opened
    from autoencode.use.gaps import write_imputed

    used = opened(run, data, options, out, overwrite)
    done = write_imputed(used.model, used.data, out, samples, seed, overwrite, **used.options)
    print_notes(done.notices)
    print_line(f"{out}: {done.rows:,} rows, of which {done.cells:,} missing cells were filled in")

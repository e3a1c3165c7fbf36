"""`autoencode generate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.arguments import Seed as SeedRange
from autoencode.arguments import check_value
from autoencode.cli.options import OtherSource, Overwrite, RunFolder, Seed, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import ImageCount, data_of
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError


@takes(omit=["label"], options=ReadOptions)
def generate(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[
        Path,
        typer.Option(
            help="A picture of all images (.png, .webp), a folder for image files, an .npy array, "
            "or for models of tables .csv or .parquet."
        ),
    ] = Path("samples.png"),
    n: ImageCount = 64,
    label: Annotated[
        str | None, typer.Option(help="Class of the examples.", show_default="all classes")
    ] = None,
    code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B,…",
            help="Code to decode, numbers separated by commas; may be given several times.",
            show_default="random codes",
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="Factor of the deviation of random codes from their centre.")
    ] = 1.0,
    seed: Seed = 0,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Generate new examples: draw random codes and decode them.

    The codes are drawn from the sampler that was fitted to the training codes, else from the prior.
    A model without either gets uniform codes from the bounding box of the training codes, and many
    of them decode to implausible images. With --label, a conditional model is conditioned on the
    class; another model gets codes whose neighbours among the training codes are mostly of the
    class.

    Example: autoencode generate runs/vae-mnist --label 3 --out threes.png
    """
    from autoencode.evaluation import decode
    from autoencode.models.run import open_run
    from autoencode.use.files import refuse_existing
    from autoencode.use.generation import draw, write_examples

    refuse_existing(out, overwrite)
    check_value(seed, SeedRange, "seed")
    opened = open_run(run)
    model = opened.load_model()
    codes = None if not code else [_numbers(text) for text in code]
    source = partial(data_of, opened, data, options)
    drawn = draw(model, n, label, codes, temperature, seed, source)
    what, note = write_examples(model, decode(model, drawn.z, drawn.context), out, overwrite)
    print_line(f"{out}: {len(drawn.z):,} {what} decoded from {drawn.origin}")
    if note:
        print_line(note)


def _numbers(text: str) -> list[float]:
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as error:
        raise AutoencodeError(
            f"--code is {text!r}", "Give numbers separated by commas: --code 1.2,-0.5"
        ) from error

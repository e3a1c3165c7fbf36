"""`autoencode interpolate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import Picture, check_picture, data_of, save_images
from autoencode.data.options import ReadOptions
from autoencode.errors import DataError


@takes(options=ReadOptions)
def interpolate(
    run: RunFolder,
    options: dict[str, Any],
    out: Picture = Path("interpolation.png"),
    start: Annotated[
        int, typer.Option("--from", min=0, help="Number of the first test image, from 0.")
    ] = 0,
    end: Annotated[
        int, typer.Option("--to", min=0, help="Number of the last test image, from 0.")
    ] = 1,
    n: Annotated[
        int,
        typer.Option("--n", min=2, max=1_000, help="Number of images, with the first and last."),
    ] = 12,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw an interpolation between two test images: decode codes between their codes.

    Example: autoencode interpolate runs/vae-mnist --from 0 --to 1 --out between.png
    """
    check_picture(out, overwrite)
    from autoencode import explore
    from autoencode.evaluation import decode, embed
    from autoencode.models.conditions import conditioning
    from autoencode.models.run import open_run
    from autoencode.report.pictures import strip_picture

    opened = open_run(run)
    model = opened.load_model()
    test = data_of(opened, data, options, training=False).test
    for name, number in (("--from", start), ("--to", end)):
        if number >= len(test):
            raise DataError(
                f"{name} {number} is not a test image: there are {len(test):,}, counted from 0"
            )
    context = conditioning(opened.recipe, test)
    codes = embed(model, test.x[[start, end]], None if context is None else context[[start, end]])
    path = explore.interpolate(codes[0], codes[1], n, model.space)
    # The context of a conditional model stays that of the first image.
    images = decode(model, path, None if context is None else context[[start] * n])
    picture, what = save_images(opened, images, out, strip_picture)
    print_line(f"{picture}: {n} {what} from test example {start} to test example {end}")

"""`autoencode reconstruct`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import ImageCount, Picture, check_picture, data_of, save_images
from autoencode.data.options import ReadOptions


@takes(options=ReadOptions)
def reconstruct(
    run: RunFolder,
    options: dict[str, Any],
    out: Picture = Path("reconstructions.png"),
    n: ImageCount = 20,
    data: OtherSource = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw test images above their reconstructions; of a table, write the reconstructed rows.

    Example: autoencode reconstruct runs/vae-mnist --out pairs.png
    """
    check_picture(out, overwrite)
    from autoencode import evaluation
    from autoencode.data import scaled
    from autoencode.models.conditions import conditioning
    from autoencode.models.run import open_run
    from autoencode.report.pictures import pairs_picture

    opened = open_run(run)
    model = opened.load_model()
    test = data_of(opened, data, options, training=False).test
    context = conditioning(opened.recipe, test)
    x = scaled(test.x[:n])
    y = evaluation.reconstruct(model, x, None if context is None else context[:n])
    names = [test.name(i) for i in range(len(x))]
    path, what = save_images(opened, y, out, partial(pairs_picture, x), names)
    error = evaluation.squared_error(x, y).mean().item()
    if what == "images":
        shown, values = f"{len(x)} test images above their reconstructions", "pixels"
    else:
        shown, values = f"{len(x)} reconstructed rows", "scaled values"
    print_line(f"{path}: {shown}, MSE {error:.2f} (squared error summed over {values})")

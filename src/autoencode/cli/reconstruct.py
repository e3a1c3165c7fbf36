"""`autoencode reconstruct`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoencode.cli.options import OtherSource, Overwrite, RunFolder, takes
from autoencode.cli.output import print_line
from autoencode.cli.picture import ImageCount, Picture, check_picture, data_of
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
    """Draw test images above their reconstructions.

    Example: autoencode reconstruct runs/vae-mnist --out pairs.png
    """
    check_picture(out, overwrite)
    from autoencode import evaluation
    from autoencode.data import scaled
    from autoencode.models.conditions import conditioning
    from autoencode.models.run import open_run
    from autoencode.report.pictures import pairs_picture, save_picture

    opened = open_run(run)
    model = opened.load_model()
    test = data_of(opened, data, options, training=False).test
    context = conditioning(opened.recipe, test)
    x = scaled(test.x[:n])
    y = evaluation.reconstruct(model, x, None if context is None else context[:n])
    path = save_picture(pairs_picture(x, y.clamp(0, 1)), out)
    error = evaluation.squared_error(x, y).mean().item()
    print_line(
        f"{path}: {len(x)} test images above their reconstructions, MSE {error:.2f} "
        "(squared error summed over pixels)"
    )

"""`autoencode denoise`."""

from __future__ import annotations

from typing import Any

from autoencode.cli.options import (
    OtherSource,
    Overwrite,
    PartCluster,
    PartWorkers,
    RunFolder,
    takes,
)
from autoencode.cli.picture import ImageCount
from autoencode.cli.reconstruct import Reconstructions, write, write_parts
from autoencode.data.options import ReadOptions


@takes(options=ReadOptions)
def denoise(
    run: RunFolder,
    options: dict[str, Any],
    out: Reconstructions = "denoised",
    n: ImageCount = 20,
    data: OtherSource = None,
    workers: PartWorkers = None,
    cluster: PartCluster = None,
    overwrite: Overwrite = False,
) -> None:
    """Remove the noise of images with a denoising model; outputs are as of reconstruct.

    The model should be trained with the kind of noise that the images have, for example
    `autoencode train denoising-ae`.

    Example: autoencode denoise runs/denoising-ae-mnist --data noisy --out clean
    """
    if workers is not None or cluster is not None:
        write_parts(run, options, out, data, overwrite, workers, cluster, "denoised")
    else:
        write(run, options, out, n, data, overwrite, "denoised")

"""How near a reconstruction is to its original: squared error, PSNR, SSIM of images in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor

from autoencode import maths
from autoencode.errors import DataError
from autoencode.evaluation.metrics.arrays import as_images

# The smallest mean squared error per value, so that PSNR is 100 dB at most.
MIN_MEAN_ERROR = 1e-10


def squared_error(x: Tensor, y: Tensor) -> Tensor:
    """‖x − y‖², summed over all values of an example: [N, *X] twice to [N].

    A missing value of the original x, NaN, contributes nothing.

    Raises:
        DataError: different shapes, or integers other than uint8.
    """
    return squared_differences(x, y).flatten(1).sum(1)


def squared_differences(x: Tensor, y: Tensor) -> Tensor:
    """(x − y)² of each value, [N, *X] twice to [N, *X]; 0 where the original x is NaN.

    Raises:
        DataError: as `squared_error`.
    """
    x, y = _pair(x, y)
    return torch.where(x.isnan(), 0.0, (x - y).square())


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, −10 log₁₀(mean squared error), in dB: [N, *X] twice to [N].

    The mean is over the values that are not missing in the original x. At most 100 dB, the value of
    identical images.

    Raises:
        DataError: as `squared_error`.
    """
    numbers = (~x.isnan()).flatten(1).sum(1).clamp(min=1)
    return -10 * (squared_error(x, y) / numbers).clamp(min=MIN_MEAN_ERROR).log10()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity, 1 for identical images: [N, H, W] or [N, C, H, W] twice to [N].

    Mean of (2μₓμᵧ + C₁)(2σₓᵧ + C₂) / ((μₓ² + μᵧ² + C₁)(σₓ² + σᵧ² + C₂)) over all positions of the
    Gaussian window (11 × 11, σ = 1.5) inside the image, and over the channels. On an image with a
    side below 11 the window has the largest odd size that fits.
    Source: [wang2004].

    Raises:
        DataError: vectors, which have no neighbouring pixels; else as `squared_error`.
    """
    return maths.ssim(*_images(x, y))


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity at five scales, 1 for identical images: [N, (C,) H, W] twice to [N].

    Each scale is half of the one before; an image too small for five has fewer, and their weights
    then sum to 1.  Source: [wang2003].

    Raises:
        DataError: as `ssim`.
    """
    return maths.ms_ssim(*_images(x, y))


def _images(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _pair(x, y)
    if x.dim() not in (3, 4):
        raise DataError(
            f"SSIM compares images, (N, H, W) or (N, C, H, W), and these are {tuple(x.shape)}",
            "Use squared_error or psnr.",
        )
    return x, y


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    # Shapes that broadcast would compare each image with every other.
    if x.shape != y.shape:
        raise DataError(
            f"Only images of one shape can be compared, and these are {tuple(x.shape)} "
            f"and {tuple(y.shape)}"
        )
    return as_images(x), as_images(y)

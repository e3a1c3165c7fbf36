"""Structural similarity of images: SSIM, MS-SSIM, and an unnormalised density of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional

# The window and the constants of SSIM, for values in [0, 1].
WINDOW = 11
SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
# Weights of the scales, full size first [wang2003]; for fewer scales they are rescaled to sum 1.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# A mean similarity below this value is replaced by a positive function of it, see `ms_ssim`.
MIN_MEAN = 0.1


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity, 1 for identical images: [N, ..., H, W] twice to [N].

    Mean of (2μₓμᵧ + C₁)(2σₓᵧ + C₂) / ((μₓ² + μᵧ² + C₁)(σₓ² + σᵧ² + C₂)) over all places where the
    Gaussian window (11 × 11, σ = 1.5) lies wholly inside the image, and over the channels. On an
    image with a side below 11 the window has the largest odd size that fits.
    Floats in [0, 1].  Source: [wang2004].
    """
    luminance, structure = _ssim_factors(x, y)
    return (luminance * structure).flatten(1).mean(1)


def ms_ssim(x: Tensor, y: Tensor, reflect: bool = False) -> Tensor:
    """Structural similarity on several scales, 1 for identical images: [N, C, H, W] twice to [N].

    SSIM_M^w_M · ∏_{j<M} S_j^w_j: S is the second factor of SSIM, averaged, and scale j + 1 is the
    mean of 2 × 2 pixels of scale j. There are M = `scales(H, W)` of them. A mean m below 0.1 counts
    as 0.1 e^(10 m − 1), which is positive and still rises with m, so that images without any
    similarity have a gradient.  Floats in [0, 1].  Source: [wang2003].

    reflect: each scale is first reflected at its borders by half a window, so that the window has a
        place at every pixel; both sides are 6 or more.
    """
    count = scales(x.shape[-2], x.shape[-1])
    weights = [weight / sum(WEIGHTS[:count]) for weight in WEIGHTS[:count]]
    similarity = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    border = [WINDOW // 2] * 4
    for scale, weight in enumerate(weights, 1):
        wide_x, wide_y = (functional.pad(t, border, "reflect") if reflect else t for t in (x, y))
        luminance, structure = _ssim_factors(wide_x, wide_y)
        alike = luminance * structure if scale == count else structure
        similarity = similarity + weight * _log(alike.flatten(1).mean(1))
        if scale < count:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return similarity.exp()


def scales(high: int, wide: int) -> int:
    """How many scales MS-SSIM has for an image: halved while the window of 11 fits, five at most.

    >>> scales(28, 28), scales(8, 8), scales(64, 100), scales(256, 256)
    (2, 1, 3, 5)
    """
    side, count = min(high, wide) // 2, 1
    while side >= WINDOW and count < len(WEIGHTS):
        side, count = side // 2, count + 1
    return count


class SimilarityEnergy(Distribution):
    """p(x) ∝ exp(−scale · (1 − MS-SSIM(x, loc))) over images in [0, 1].

    MS-SSIM with reflected borders: else the outermost pixels would hardly count, and a model would
    leave them grey.
    Its normalising constant has no closed form and is left out: `log_prob` is 0 for x = loc and
    negative elsewhere, good for training, not to be compared with a likelihood.
    Source: [snell2017].
    """

    arg_constraints = {"loc": constraints.unit_interval}  # noqa: RUF012

    def __init__(self, loc: Tensor, scale: float, event_dims: int) -> None:
        """Images [*batch, *event]; the last `event_dims` dimensions, (H, W) or (C, H, W)."""
        self.loc, self.scale = loc, scale
        cut = loc.dim() - event_dims
        super().__init__(loc.shape[:cut], loc.shape[cut:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """[*batch, *event]: the most likely image, which stands for the mean."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """[*batch, *event]."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats but for a constant, [*batch]: −scale · (1 − MS-SSIM(value, loc))."""
        both = torch.broadcast_tensors(value, self.loc)  # type: ignore[no-untyped-call]
        lead = both[0].shape[: both[0].dim() - len(self.event_shape)]
        image = self.event_shape[-3:]
        channels = (1, *image) if len(image) == 2 else tuple(image)
        value, loc = (t.reshape(-1, *channels) for t in both)
        return -self.scale * (1 - ms_ssim(value, loc, reflect=True)).reshape(lead)


def _log(mean: Tensor) -> Tensor:
    """ln m, and below `MIN_MEAN` the tangent at it."""
    tangent = math.log(MIN_MEAN) + mean / MIN_MEAN - 1
    return torch.where(mean < MIN_MEAN, tangent, mean.clamp(min=MIN_MEAN).log())


def _ssim_factors(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """SSIM's two factors at each place: of luminance, and of contrast and structure."""
    side = min(x.shape[-2:])
    weights = _gaussian(min(WINDOW, side - 1 + side % 2))
    mean_x, mean_y = _blur(x, weights), _blur(y, weights)
    # Variances do not depend on a shift, and float32 is more precise for small values.
    shift_x, shift_y = (image.mean((-2, -1), keepdim=True) for image in (x, y))
    x, y = x - shift_x, y - shift_y
    off_x, off_y = mean_x - shift_x, mean_y - shift_y
    variances = _blur(x * x + y * y, weights) - off_x * off_x - off_y * off_y
    covariance = _blur(x * y, weights) - off_x * off_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    return luminance, (2 * covariance + C2) / (variances + C2)


def _gaussian(size: int) -> list[float]:
    places = [place - size // 2 for place in range(size)]
    heights = [math.exp(-(place**2) / (2 * SIGMA**2)) for place in places]
    return [height / sum(heights) for height in heights]


def _blur(image: Tensor, weights: list[float]) -> Tensor:
    """The weighted mean around each place where the window fits; [..., H, W] shrinks by it.

    Sums of shifted images: a convolution of one channel is slower by far, and rounds to tf32 on
    some devices.
    """
    for dim in (-2, -1):
        fits = image.shape[dim] - len(weights) + 1
        blurred = torch.zeros_like(image.narrow(dim, 0, fits))
        for place, weight in enumerate(weights):
            blurred.add_(image.narrow(dim, place, fits), alpha=weight)
        image = blurred
    return image

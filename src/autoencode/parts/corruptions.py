"""Corruptions: how an example is spoiled before the encoder sees it.

All of them take examples of any shape [B, *X] with numbers in [0, 1] and stay in [0, 1], so that a
corrupted image is an image: it can be drawn, saved, and given to any other method of denoising.
Each number of each example is spoiled on its own, colours of one pixel too, unless said otherwise.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from autoencode.contract import Corruption, Sizes, Within
from autoencode.errors import RecipeError

Share = Annotated[float, Within(0.0, 1.0)]
# A Gaussian holds all but 6e-5 of its weight within so many σ.
REACH = 4


class GaussianNoise(Corruption):
    """x + scale · ε with ε ~ N(0, I), clipped to [0, 1].

    scale: standard deviation of the noise before clipping, in units of the whole range.

    The source adds the noise without clipping. Here it is clipped, as a picture file would: where
    the clean pixel is 0 or 1, half of the draws change nothing.  Source: [vincent2010].
    """

    def __init__(self, sizes: Sizes, scale: Annotated[float, Within(0.0, 10.0)] = 0.5) -> None:
        super().__init__(sizes)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """[B, *X] to [B, *X]."""
        return (x + self.scale * torch.randn_like(x)).clamp(0, 1)


class Masking(Corruption):
    """Sets each number to 0 with probability `share`.  Source: [vincent2008]."""

    def __init__(self, sizes: Sizes, share: Share = 0.5) -> None:
        super().__init__(sizes)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[B, *X] to [B, *X]."""
        return x.masked_fill(torch.rand_like(x) < self.share, 0.0)


class SaltAndPepper(Corruption):
    """Sets each number, with probability `share`, to 0 or 1 by the toss of a fair coin.

    Source: [vincent2010].
    """

    def __init__(self, sizes: Sizes, share: Share = 0.25) -> None:
        super().__init__(sizes)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[B, *X] to [B, *X]."""
        u = torch.rand_like(x)
        return x.masked_fill(u < self.share, 1.0).masked_fill(u < self.share / 2, 0.0)


class Blur(Corruption):
    """Convolves each image, channel by channel, with a Gaussian of width `sigma` pixels.

    Beyond its edges an image goes on as its outermost pixels. The same image always gives the same
    blur: there is nothing random in it.

    Raises:
        RecipeError: examples are vectors, which have no neighbouring pixels.
    """

    def __init__(self, sizes: Sizes, sigma: Annotated[float, Within(0.1, 100.0)] = 1.5) -> None:
        super().__init__(sizes)
        _check_image(sizes, "blur")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """[B, *X] to [B, *X]."""
        # Rows and columns each by a small matrix; autocast would round the image to 8 bits.
        with torch.autocast(x.device.type, enabled=False):
            blurred = self._matrix(x, -2) @ x @ self._matrix(x, -1).mT
        return blurred.clamp(0, 1)

    def _matrix(self, x: Tensor, dim: int) -> Tensor:
        """The blur along one side of n pixels, [n, n]: rows of weights that sum to 1."""
        n, reach = x.shape[dim], math.ceil(REACH * self.sigma)
        offsets = torch.arange(-reach, reach + 1, device=x.device)
        weights = (-0.5 * (offsets.to(x.dtype) / self.sigma).square()).softmax(0)
        sources = (torch.arange(n, device=x.device)[:, None] + offsets).clamp(0, n - 1)
        return x.new_zeros(n, n).scatter_add(1, sources, weights.expand(n, -1))


class Occlusion(Corruption):
    """Blackens one rectangle at a random place of each image, all channels alike.

    share: height and width of the rectangle, as a share of the image's (at least one pixel).

    Raises:
        RecipeError: examples are vectors, which have no neighbouring pixels.
    Source: [pathak2016].
    """

    def __init__(self, sizes: Sizes, share: Share = 0.4) -> None:
        super().__init__(sizes)
        _check_image(sizes, "occlusion")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[B, *X] to [B, *X]."""
        hidden = self._stripe(x, -2)[:, :, None] & self._stripe(x, -1)[:, None, :]
        return x.masked_fill(hidden if x.dim() == 3 else hidden[:, None], 0.0)

    def _stripe(self, x: Tensor, dim: int) -> Tensor:
        """Which places along one side of n pixels are hidden, [B, n]."""
        n = x.shape[dim]
        length = max(1, round(self.share * n))
        start = torch.randint(n - length + 1, (len(x), 1), device=x.device)
        places = torch.arange(n, device=x.device)
        return (places >= start) & (places < start + length)


def _check_image(sizes: Sizes, name: str) -> None:
    if sizes.image is None:
        raise RecipeError(
            f'Corruption "{name}" needs images, and one example here is a vector of {sizes.pixels}',
            'Use "gaussian-noise", "masking" or "salt-and-pepper".',
        )


CORRUPTIONS: dict[str, type[Corruption]] = {
    "gaussian-noise": GaussianNoise,
    "masking": Masking,
    "salt-and-pepper": SaltAndPepper,
    "blur": Blur,
    "occlusion": Occlusion,
}

"""Corruptions of the encoder's input, for denoising autoencoders.

All of them map examples [B, *X] in [0, 1] to [0, 1], so that a corrupted image is a valid image;
rows of tables, which have no bounds, are not clipped.
Each value of an example is corrupted independently, including the channels of one pixel, unless
the class states otherwise.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from autoencode.contract import Corruption, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths.sharding import batch_noise, noise_like
from autoencode.parts.registry import find_parts

Share = Annotated[float, Within(0.0, 1.0)]
# The blur's kernel is cut off at this number of σ; the mass outside is 6e-5.
KERNEL_RADIUS = 4


class GaussianNoise(Corruption):
    """x + scale · ε with ε ~ N(0, I), clipped to [0, 1].

    scale: standard deviation of the noise before clipping; the range of the data is 1.

    The source does not clip. With clipping, half of the noise has no effect where the clean pixel
    is 0 or 1.  Source: [vincent2010].
    """

    name = "gaussian-noise"

    def __init__(self, sizes: Sizes, scale: Annotated[float, Within(0.0, 10.0)] = 0.5) -> None:
        super().__init__(sizes)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        noisy = x + self.scale * noise_like(torch.randn_like, x)
        return noisy.clamp(0, 1) if self.sizes.bounded else noisy


class Masking(Corruption):
    """Sets each value to 0 with probability `share`.  Source: [vincent2008]."""

    name = "masking"

    def __init__(self, sizes: Sizes, share: Share = 0.5) -> None:
        super().__init__(sizes)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        return x.masked_fill(noise_like(torch.rand_like, x) < self.share, 0.0)


class SaltAndPepper(Corruption):
    """Sets each value to 0 or 1, each with probability `share` / 2.  Source: [vincent2010]."""

    name = "salt-and-pepper"

    def __init__(self, sizes: Sizes, share: Share = 0.25) -> None:
        super().__init__(sizes)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        u = noise_like(torch.rand_like, x)
        return x.masked_fill(u < self.share, 1.0).masked_fill(u < self.share / 2, 0.0)


class Blur(Corruption):
    """Convolves each channel of an image with a Gaussian kernel; `sigma` is in pixels.

    The border is padded with the outermost pixels. The result is deterministic.

    Raises:
        RecipeError: examples are vectors, not images.
    """

    name = "blur"

    def __init__(self, sizes: Sizes, sigma: Annotated[float, Within(0.1, 100.0)] = 1.5) -> None:
        super().__init__(sizes)
        _check_image(sizes, "blur")
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        # One matrix product for rows and one for columns, in float32: in bfloat16 an image would
        # have 8 bits of precision.
        with torch.autocast(x.device.type, enabled=False):
            blurred = self._matrix(x, -2) @ x @ self._matrix(x, -1).mT
        return blurred.clamp(0, 1)

    def _matrix(self, x: Tensor, dim: int) -> Tensor:
        """The blur along one axis of n pixels as a matrix [n, n] whose rows sum to 1."""
        n, radius = x.shape[dim], math.ceil(KERNEL_RADIUS * self.sigma)
        offsets = torch.arange(-radius, radius + 1, device=x.device)
        weights = (-0.5 * (offsets.to(x.dtype) / self.sigma).square()).softmax(0)
        sources = (torch.arange(n, device=x.device)[:, None] + offsets).clamp(0, n - 1)
        return x.new_zeros(n, n).scatter_add(1, sources, weights.expand(n, -1))


class Occlusion(Corruption):
    """Sets a rectangle at a random position of each image to 0, in all channels.

    share: height and width of the rectangle as a fraction of the image's (at least one pixel).

    Raises:
        RecipeError: examples are vectors, not images.
    Source: [pathak2016].
    """

    name = "occlusion"

    def __init__(self, sizes: Sizes, share: Share = 0.4) -> None:
        super().__init__(sizes)
        _check_image(sizes, "occlusion")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        hidden = self._stripe(x, -2)[:, :, None] & self._stripe(x, -1)[:, None, :]
        return x.masked_fill(hidden if x.dim() == 3 else hidden[:, None], 0.0)

    def _stripe(self, x: Tensor, dim: int) -> Tensor:
        """Which of the n pixels along one axis are covered, [B, n]."""
        n = x.shape[dim]
        length = max(1, round(self.share * n))
        draw = partial(torch.randint, n - length + 1, device=x.device)
        start = batch_noise(draw, (len(x), 1))
        position = torch.arange(n, device=x.device)
        return (position >= start) & (position < start + length)


class MaskedPatches(Corruption):
    """Sets square patches of each image to 0, in all channels: the same number in every image.

    share: hidden patches as a fraction of all; at least one is hidden, and at least one is not.
    patch: height and width of a patch in pixels; those at the right and lower border may be cut.

    Raises:
        RecipeError: examples are vectors, or an image has fewer than two patches.
    Source: [he2022].
    """

    name = "masked-patches"

    def __init__(
        self, sizes: Sizes, share: Share = 0.75, patch: Annotated[int, Within(1, 256)] = 4
    ) -> None:
        super().__init__(sizes)
        _, high, wide = _check_image(sizes, "masked-patches")
        self.share, self.patch = share, patch
        self.grid = (-(-high // patch), -(-wide // patch))
        count = math.prod(self.grid)
        if count < 2:
            raise RecipeError(
                f"Images of {high}×{wide} pixels have one patch of {patch}×{patch}, and hiding it "
                "would hide the image",
                f"Use smaller patches: --set corruption.patch={max(1, max(high, wide) // 4)}.",
            )
        self.hidden_patches = min(count - 1, max(1, round(share * count)))

    def hidden(self, x: Tensor) -> Tensor:
        """Draws which patches of each of the examples [B, *X] are hidden, [B, h · w]."""
        count = math.prod(self.grid)
        u = batch_noise(partial(torch.rand, device=x.device), (len(x), count))
        return u.argsort(1).argsort(1) < self.hidden_patches

    def shown(self, hidden: Tensor) -> Tensor:
        """Indices of the patches that are not hidden, [B, n], in their order."""
        return indices_shown(hidden, hidden.shape[1] - self.hidden_patches)

    def cover(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Sets the hidden patches, [B, h · w], of examples [B, *X] to 0."""
        pixels = hidden.reshape(len(x), *self.grid)
        for dim in (-2, -1):
            pixels = pixels.repeat_interleave(self.patch, dim).narrow(dim, 0, x.shape[dim])
        return x.masked_fill(pixels if x.dim() == 3 else pixels[:, None], 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Corrupts examples [B, *X] to [B, *X]."""
        return self.cover(x, self.hidden(x))


def indices_shown(hidden: Tensor, n: int) -> Tensor:
    """Indices of the n positions of each row that are False, [B, n], of [B, N]; in their order."""
    return hidden.to(torch.uint8).argsort(stable=True, dim=1)[:, :n]


def _check_image(sizes: Sizes, name: str) -> tuple[int, int, int]:
    if sizes.image is None:
        raise RecipeError(
            f'Corruption "{name}" needs images, and examples are vectors of {sizes.pixels} values',
            'Use "gaussian-noise", "masking" or "salt-and-pepper".',
        )
    return sizes.image


CORRUPTIONS: dict[str, type[Corruption]] = find_parts(__name__)

"""Augmentation: images under small random affine maps, and mirrored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Largest rotation in radians, largest shear as a share of the height, largest change of scale.
MAX_ROTATION, MAX_SHEAR, MAX_SCALING = 0.15, 0.15, 0.1


def augmented(x: Tensor, share: float) -> Tensor:
    """Images [B, H, W] or [B, C, H, W], this share of them under random affine maps.

    Rotation by up to 0.15 radians, scaling by up to a tenth and shear by up to 0.15, each drawn
    uniformly from torch's own random state; bilinear interpolation, the border repeated beyond the
    edge. The changed image is both input and target of the model. The positions of the changed
    images in a batch are fixed, because batches are shuffled.  Source: [simard2003].
    """
    count = round(share * len(x))
    if count == 0:
        return x
    chosen = torch.arange(count, device=x.device) * len(x) // count
    u = torch.rand(3, count, device=x.device)
    limits = torch.tensor([[MAX_ROTATION], [MAX_SHEAR], [MAX_SCALING]], device=x.device)
    rotation, shear, scaling = (2 * u - 1) * limits
    return x.index_copy(0, chosen, warped(x[chosen], matrices(rotation, shear, 1 + scaling)))


def mirrored(x: Tensor) -> Tensor:
    """Images [B, H, W] or [B, C, H, W], each mirrored left to right with probability 1/2."""
    chosen = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) < 0.5
    return torch.where(chosen, x.flip(-1), x)


def matrices(rotation: Tensor, shear: Tensor, scale: Tensor) -> Tensor:
    """The linear maps from a pixel's coordinates (x, y) to those in the original, [B, 2, 2].

    rotation: radians.   shear: of the columns, per height.   scale: 1 changes nothing.   Each [B].
    """
    cos, sin = rotation.cos() * scale, rotation.sin() * scale
    return torch.stack([cos, cos * shear - sin, sin, sin * shear + cos], 1).reshape(-1, 2, 2)


def warped(x: Tensor, maps: Tensor) -> Tensor:
    """Images [B, H, W] or [B, C, H, W], each transformed by its linear map about the centre."""
    images = x if x.dim() == 4 else x.unsqueeze(1)
    theta = torch.cat([maps, maps.new_zeros(len(maps), 2, 1)], 2)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    out = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return out.reshape(x.shape)

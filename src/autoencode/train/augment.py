"""Images turned, stretched and slanted a little, as other hands would have drawn them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Largest turn and slant, in radians and as a share of the height; largest change of size.
TURN, SLANT, STRETCH = 0.15, 0.15, 0.1


def augmented(x: Tensor, share: float) -> Tensor:
    """Images [B, H, W] or [B, C, H, W] of which this share is seen under a random affine map.

    Turned by up to 0.15 radians, larger or smaller by up to a tenth, slanted by up to 0.15, each
    drawn uniformly from torch's own random state; between the pixels by bilinear interpolation,
    beyond the edge as at the edge. What a model is to reconstruct is the image it then sees. Which
    images of a batch it is stays the same: batches are shuffled.  Source: [simard2003].
    """
    count = round(share * len(x))
    if count == 0:
        return x
    chosen = torch.arange(count, device=x.device) * len(x) // count
    u = torch.rand(3, count, device=x.device)
    turn, slant, size = (2 * u - 1) * torch.tensor([[TURN], [SLANT], [STRETCH]], device=x.device)
    return x.index_copy(0, chosen, warped(x[chosen], matrices(turn, slant, 1 + size)))


def matrices(turn: Tensor, slant: Tensor, size: Tensor) -> Tensor:
    """Where each place of an image looks into the original, [B, 2, 2]: columns are x and y.

    turn: radians.   slant: of the columns, per height.   size: 1 leaves it.   Each [B].
    """
    cos, sin = turn.cos() * size, turn.sin() * size
    return torch.stack([cos, cos * slant - sin, sin, sin * slant + cos], 1).reshape(-1, 2, 2)


def warped(x: Tensor, maps: Tensor) -> Tensor:
    """Images [B, H, W] or [B, C, H, W], each seen through its linear map about its middle."""
    images = x if x.dim() == 4 else x.unsqueeze(1)
    theta = torch.cat([maps, maps.new_zeros(len(maps), 2, 1)], 2)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    seen = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return seen.reshape(x.shape)

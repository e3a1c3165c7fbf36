"""Examples of every kind as RGB tiles, and tiles in grids."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d

Tiles = UInt8[np.ndarray, "n h w 3"]

# Height, and minimum and maximum width, in pixels, of the bar chart of a vector.
PROFILE_HEIGHT, PROFILE_WIDTH = 40, (40, 80)
_BAR, _GROUND = np.array([47, 111, 176]), np.array([243, 245, 248])


def tiles(x: Tensor, *, kind: int) -> Tiles:
    """Examples [N, *X] with values in [0, 1] as RGB tiles; `kind` is the number of dimensions of X.

    Grey and RGB images are unchanged; a fourth channel is an alpha channel over white; other
    numbers of channels are averaged to grey. Vectors become bar charts with a bar for each value.
    Values are clipped to [0, 1].
    """
    x = x.detach().to("cpu", torch.float32).nan_to_num(0.0).clamp(0, 1)
    if kind == 1:
        return _profiles(x)
    x = x.unsqueeze(1) if kind == 2 else x
    if x.shape[1] == 4:
        x = x[:, :3] * x[:, 3:] + 1 - x[:, 3:]
    if x.shape[1] != 3:
        x = x.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return x.mul(255).round().byte().permute(0, 2, 3, 1).numpy()


def _profiles(x: Tensor) -> Tiles:
    count, numbers = x.shape
    low, high = PROFILE_WIDTH
    if numbers > high:
        x = adaptive_avg_pool1d(x, high)
    x = x.repeat_interleave(max(1, -(-low // x.shape[1])), dim=1)
    # The share of each pixel that the bar of its column covers, from the top row down.
    levels = torch.arange(PROFILE_HEIGHT - 1, -1, -1).view(1, -1, 1)
    cover = (x.view(count, 1, -1) * PROFILE_HEIGHT - levels).clamp(0, 1).unsqueeze(-1).numpy()
    bars = (cover * _BAR + (1 - cover) * _GROUND).round().astype(np.uint8)
    # A white frame separates the bars of neighbouring tiles.
    return np.pad(bars, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)


def enlarge(pictures: Tiles, factor: int) -> Tiles:
    """Every pixel as a square of factor × factor."""
    return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def squarer(pictures: Tiles, ratio: float) -> Tiles:
    """Tiles padded with white, so that no side is longer than `ratio` times the other."""
    height, width = pictures.shape[1:3]
    down = max(0, int(width / ratio) - height)
    across = max(0, int(height / ratio) - width)
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2))
    return np.pad(pictures, ((0, 0), *around, (0, 0)), constant_values=255)


def montage(pictures: Tiles, columns: int, gap: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """Tiles in reading order in one image, `gap` white pixels between them."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    margins = ((0, rows * columns - count), (0, gap), (0, gap), (0, 0))
    cells = np.pad(pictures, margins, constant_values=255)
    grid = cells.reshape(rows, columns, height + gap, width + gap, 3).swapaxes(1, 2)
    sheet = grid.reshape(rows * (height + gap), columns * (width + gap), 3)
    return sheet[: len(sheet) - gap, : sheet.shape[1] - gap]


def pairs(originals: Tiles, copies: Tiles, gap: int = 0) -> Tiles:
    """Each original above its copy, `gap` white pixels between them, as one tile."""
    count, _, width, _ = originals.shape
    between = np.full((count, gap, width, 3), 255, np.uint8)
    return np.concatenate([originals, between, copies], axis=1)

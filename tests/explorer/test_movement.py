"""Moving, joining, padding and resizing computed by the page, against PyTorch."""

import pytest
import torch
from torch.nn import functional as F

MOVES = {
    "reshape, flatten": lambda x: x.reshape(1, 6, -1).flatten(1).unflatten(1, (4, 12)),
    "squeeze, unsqueeze": lambda x: x[:, :1].squeeze(1).unsqueeze(-1),
    "transpose, permute": lambda x: x.transpose(1, 2).permute(0, 3, 1, 2).reshape(1, -1),
    "movedim": lambda x: x.movedim(1, -1) * 1,
    "slices": lambda x: x[:, 1:, ::2, 1] + x[:, :2, 1:3, 3],
    "split, chunk, unbind": lambda x: (
        x.split(2, 1)[0] + x.chunk(2, 1)[0] * x.unbind(2)[1].unsqueeze(2)[:, :2]
    ),
    "expand": lambda x: x[:, :1].expand(-1, 5, -1, -1) + x[:, :1, :1, :1].expand_as(x)[:, :1],
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "flip, roll": lambda x: x.flip(1, 3) + x.roll((1, -1), (2, 3)) + x.roll(5),
    "diagonal": lambda x: x.diagonal(0, 2, 3) * 1,
    "unfold": lambda x: x.unfold(2, 3, 1) * 1,
    "cat": lambda x: torch.cat([x, x.square(), torch.ones(1, 1, 4, 4)], 1),
    "cat of the last dimension": lambda x: torch.cat([x, x[..., :1]], -1),
    "stack": lambda x: torch.stack([x, -x], 2),
    "new tensors": lambda x: (
        x + torch.full_like(x, 2) * torch.ones_like(x) + x.new_zeros(4) + x.new_full((4,), 3.0)
    ),
    "pixel shuffle": lambda x: F.pixel_shuffle(torch.cat([x, x[:, :1]], 1), 2),
    "pixel unshuffle": lambda x: F.pixel_unshuffle(x, 2),
    "pad": lambda x: F.pad(x, (1, 2, 0, 3), value=0.5) + F.pad(x, (3, 0, 1, 2)),
    "pad by less than nothing": lambda x: F.pad(x, (-1, 2, 1, -2)),
    "pad by reflection": lambda x: F.pad(x, (1, 2, 3, 0), "reflect"),
    "pad by the border": lambda x: F.pad(x, (1, 2, 3, 0), "replicate"),
    "pad around": lambda x: F.pad(x, (1, 2, 3, 0), "circular"),
    "nearest": lambda x: F.interpolate(x, scale_factor=2) + F.interpolate(x, (8, 8)),
    "nearest, odd": lambda x: F.interpolate(x, (7, 3)),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear by corners": lambda x: F.interpolate(x, (7, 9), mode="bilinear", align_corners=True),
    "bicubic": lambda x: F.interpolate(x, (6, 7), mode="bicubic"),
}


@pytest.fixture(scope="module")
def found(compare_together):
    torch.manual_seed(0)
    return compare_together(MOVES, torch.randn(1, 3, 4, 4))


@pytest.mark.parametrize("name", MOVES)
def test_moves(found, name):
    torch.testing.assert_close(*found[name], rtol=1e-5, atol=1e-5)

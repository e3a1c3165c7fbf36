"""Padding, pooling and resizing of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.explorer.values import (
    Lower,
    Operand,
    Unsupported,
    Value,
    linear,
    matmul,
    meta,
    reduce,
    reshape,
    shape_of,
    take,
    viewed,
)

Sides = int | Sequence[int]


def pair(sides: Sides, rank: int, neutral: int) -> list[int]:
    """Numbers for rows and columns from one number or one per dimension; 1-D adds `neutral`."""
    each = [sides] if isinstance(sides, int) else list(sides)
    each = each * rank if len(each) == 1 else each
    return [neutral, *each] if rank == 1 else each


def with_height(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a 1-D signal as an image with one row."""
    return (*shape[:-1], 1, shape[-1])


def pad(
    out: Tensor,
    x: Operand,
    sides: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Value:
    """Pad a tensor with a constant, or with its own numbers as `mode` says."""
    if mode == "constant":
        rank = len(shape_of(x))
        # Sides are listed from the last dimension to the first.
        before = [0] * rank
        for i in range(len(sides) // 2):
            before[rank - 1 - i] = sides[2 * i]
        return Value("pad", (x,), {"before": before, "value": value or 0.0}, tuple(out.shape))
    assert isinstance(x, Value)
    for i in range(len(sides) // 2):
        axis = len(x.shape) - 1 - i
        index = torch.arange(float(x.shape[axis])).reshape(1, 1, -1)
        index = functional.pad(index, tuple(sides[2 * i : 2 * i + 2]), mode).flatten()
        x = take(x, index, axis)
    return x


def _pool(name: str, out: Any, x: Value, rank: int, sides: Sequence[Sides], **more: bool) -> Value:
    kernel, stride, padding, dilation = sides
    if rank == 1:
        x = reshape(x, with_height(x.shape))
    args = {
        "kernel": pair(kernel, rank, 1),
        "stride": pair(stride or kernel, rank, 1),
        "padding": pair(padding, rank, 0),
        "dilation": pair(dilation, rank, 1),
    }
    shape = tuple(out.shape) if rank == 2 else with_height(out.shape)
    made = Value("pool", (x,), {"name": name, **args, **more}, shape)
    return made if rank == 2 else reshape(made, tuple(out.shape))


def max_pool(rank: int) -> Lower:
    """Max pooling."""

    def lower(
        out: Any,
        x: Value,
        kernel: Sides,
        stride: Sides = (),
        padding: Sides = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
    ) -> Value:
        return _pool("max", out, x, rank, (kernel, stride, padding, dilation))

    return lower


def avg_pool(rank: int) -> Lower:
    """Average pooling."""

    def lower(
        out: Tensor,
        x: Value,
        kernel: Sides,
        stride: Sides = (),
        padding: Sides = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        if divisor_override is not None:
            raise Unsupported("An average pooling has its own divisor", "Leave it out.")
        sides = (kernel, stride, padding, 1)
        return _pool("mean", out, x, rank, sides, count_padding=count_include_pad)

    return lower


def adaptive(out: Tensor, x: Value, size: Sequence[int]) -> Value:
    """Average pooling to a given output size."""
    if set(size) == {1}:
        return reduce("mean", x, (-2, -1), keep=True)
    means: Value = resized("adaptive_avg_pool2d")(out, x, size)
    return means


def nearest(out: Tensor, x: Value, *args: Any, **kwargs: Any) -> Value:
    """Resize by nearest neighbours."""
    (*lead, high, wide), (new_high, new_wide) = x.shape, out.shape[-2:]
    if new_high % high == 0 and new_wide % wide == 0:
        each = meta(x).reshape(*lead, high, 1, wide, 1)
        times = each.expand(*lead, high, new_high // high, wide, new_wide // wide)
        return reshape(viewed(x, times), tuple(out.shape))
    # PyTorch's own rounding decides which pixel is the nearest.
    index = torch.arange(float(high * wide)).reshape(1, 1, high, wide)
    taken = torch.ops.aten.upsample_nearest2d(index, *args, **kwargs)[0, 0]
    rows, columns = taken[:, 0] // wide, taken[0] % wide
    return take(take(x, rows, len(lead)), columns, len(lead) + 1)


def resized(name: str) -> Lower:
    """A separable resizing or averaging: first along rows, then along columns.

    Each is a product with a constant matrix: what PyTorch's operator returns for the unit matrix.
    """
    operator = getattr(torch.ops.aten, name)

    def lower(out: Tensor, x: Value, *args: Any, **kwargs: Any) -> Value:
        high, wide = x.shape[-2:]
        # The operator also averages the other dimension, so it is constant along that.
        rows = operator(torch.eye(high)[None, :, :, None].expand(1, high, high, wide), *args)
        columns = operator(torch.eye(wide)[None, :, None].expand(1, wide, high, wide), *args)
        right = columns[0, :, 0].T.contiguous()
        return matmul(rows[0, :, :, 0].T.contiguous(), linear(x, right, None))

    return lower


WINDOWS: Mapping[str, Lower] = {
    "pad": pad,
    "constant_pad_nd": lambda out, x, sides, value=0: pad(out, x, sides, "constant", value),
    "max_pool1d": max_pool(1),
    "max_pool2d": max_pool(2),
    "avg_pool1d": avg_pool(1),
    "avg_pool2d": avg_pool(2),
    "adaptive_avg_pool2d": adaptive,
    "upsample_nearest2d": nearest,
    "upsample_bilinear2d": resized("upsample_bilinear2d"),
    "upsample_bicubic2d": resized("upsample_bicubic2d"),
}

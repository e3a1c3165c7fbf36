"""Convolution, padding, pooling and resizing of images."""

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
    reshaped,
    shape_of,
    take,
    viewed,
)


def pair(sides: Sequence[int], rank: int = 2, neutral: int = 1) -> list[int]:
    """Numbers for rows and columns from one number or one per dimension; 1-D adds `neutral`."""
    each = [*sides] * rank if len(sides) == 1 else [*sides]
    return [neutral, *each] if rank == 1 else each


def with_height(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a 1-D signal as an image with one row."""
    return (*shape[:-1], 1, shape[-1])


def convolution(
    out: Tensor,
    x: Operand,
    weight: Operand,
    bias: Operand | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Value:
    """A (transposed) convolution over one or two dimensions."""
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise Unsupported(
            "The kernel of a convolution depends on the input", "Use a parameter of the network."
        )
    rank = len(shape_of(weight)) - 2
    if rank > 2:
        raise Unsupported(f"A convolution has {rank} dimensions", "Use one or two.")
    args = {"stride": stride, "padding": padding, "dilation": dilation}
    args |= {"output_padding": output_padding} if transposed else {}
    # A 1-D convolution is a 2-D convolution of an image with one row.
    pairs = {name: pair(sides, rank, 0 if "padding" in name else 1) for name, sides in args.items()}
    shape = tuple(out.shape)
    if rank == 1:
        x, weight = reshaped(x, with_height(shape_of(x))), weight.unsqueeze(2)
        shape = with_height(shape)
    of = (x, weight) if bias is None else (x, weight, bias)
    op = "conv_transpose2d" if transposed else "conv2d"
    made = Value(op, of, {**pairs, "groups": groups}, shape)
    return made if rank == 2 else reshape(made, tuple(out.shape))


def pad(out: Tensor, x: Operand, sides: Sequence[int], value: float = 0.0) -> Value:
    """Pad with a constant."""
    # Sides are listed from the last dimension to the first.
    before = [0] * (len(out.shape) - len(sides) // 2) + list(sides[-2::-2])
    return Value("pad", (x,), {"before": before, "value": value}, tuple(out.shape))


def pad_circular(out: Tensor, x: Operand, sides: Sequence[int]) -> Operand:
    """Pad with the numbers at the other end."""
    for i in range(len(sides) // 2):
        axis = len(out.shape) - 1 - i
        index = torch.arange(float(shape_of(x)[axis])).reshape(1, 1, -1)
        index = functional.pad(index, tuple(sides[2 * i : 2 * i + 2]), "circular").flatten()
        x = take(x, index, axis)
    return x


def _pool(name: str, out: Tensor, x: Value, sides: Sequence[Sequence[int]], **more: bool) -> Value:
    kernel, stride, padding, dilation = sides
    args = {
        "kernel": pair(kernel),
        "stride": pair(stride or kernel),
        "padding": pair(padding),
        "dilation": pair(dilation),
    }
    return Value("pool", (x,), {"name": name, **args, **more}, tuple(out.shape))


def max_pool(
    out: Sequence[Tensor],
    x: Value,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> list[Value]:
    """Max pooling, the first of two results."""
    return [_pool("max", out[0], x, (kernel, stride, padding, dilation))]


def avg_pool(
    out: Tensor,
    x: Value,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    """Average pooling."""
    if divisor_override is not None:
        raise Unsupported("An average pooling has its own divisor", "Leave it out.")
    sides = (kernel, stride, padding, (1,))
    return _pool("mean", out, x, sides, count_padding=count_include_pad)


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
    "convolution": convolution,
    "constant_pad_nd": pad,
    "_pad_circular": pad_circular,
    "max_pool2d_with_indices": max_pool,
    "avg_pool2d": avg_pool,
    "adaptive_avg_pool2d": adaptive,
    "upsample_nearest2d": nearest,
    "upsample_bilinear2d": resized("upsample_bilinear2d"),
    "upsample_bicubic2d": resized("upsample_bicubic2d"),
}

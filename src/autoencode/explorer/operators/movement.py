"""Operators that move numbers, join tensors and create new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.explorer.values import (
    Lower,
    Operand,
    Unsupported,
    Value,
    is_integer,
    meta,
    reshape,
    reshaped,
    shape_of,
    take,
    tensor,
    viewed,
)

# Views: PyTorch computes their strides from a contiguous tensor.
VIEWS = frozenset(
    "reshape view _unsafe_view view_as reshape_as flatten unflatten squeeze unsqueeze transpose "
    "permute movedim moveaxis swapaxes swapdims t numpy_T mT select slice narrow expand expand_as "
    "broadcast_to chunk split split_with_sizes unsafe_chunk unsafe_split tensor_split unbind "
    "diagonal unfold".split()
)
DROPOUT = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
IDENTITY = frozenset(
    "detach detach_ alias contiguous clone lift_fresh_copy lift_fresh requires_grad_".split()
)


def cat(out: Tensor, tensors: Sequence[Operand], dim: int = 0) -> Value:
    """Concatenate along a dimension."""
    # PyTorch ignores empty vectors among tensors of any shape.
    parts = tuple(part for part in tensors if shape_of(part) != (0,))
    axis = dim % len(out.shape)
    return Value("concat", parts, {"axis": axis}, tuple(out.shape), all(map(is_integer, parts)))


def stack(out: Tensor, tensors: Sequence[Operand], dim: int = 0) -> Value:
    """Concatenate along a new dimension."""
    axis = dim % len(out.shape)
    shape = [1 if d == axis else side for d, side in enumerate(out.shape)]
    return cat(out, [reshaped(part, shape) for part in tensors], axis)


def dropout(out: Tensor, x: Value, p: float = 0.5, train: bool = False) -> Value:
    """The identity, in evaluation mode."""
    if train:
        raise Unsupported("A network applies dropout", "Call model.eval() first.")
    return x


def broadcast(out: Any, tensors: Sequence[Operand]) -> list[Operand]:
    """Broadcast tensors to one shape."""
    shape = np.broadcast_shapes(*map(shape_of, tensors))
    return [
        x.expand(shape) if isinstance(x, Tensor) else viewed(x, meta(x).expand(shape))
        for x in tensors
    ]


def flip(out: Tensor, x: Value, dims: Sequence[int]) -> Value:
    """Reverse some dimensions."""
    for dim in dims:
        axis = dim % len(x.shape)
        x = take(x, torch.arange(x.shape[axis] - 1, -1, -1), axis)
    return x


def roll(out: Tensor, x: Value, shifts: Sequence[int], dims: Sequence[int] = ()) -> Value:
    """Shift cyclically along some dimensions."""
    if not dims:
        flat = roll(out, reshape(x, (prod(x.shape),)), shifts, (0,))
        return reshape(flat, x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        axis = dim % len(x.shape)
        x = take(x, torch.arange(x.shape[axis]).roll(shift), axis)
    return x


def repeat(out: Tensor, x: Value, times: Sequence[int]) -> Value:
    """Repeat along each dimension."""
    lead = len(times) - len(x.shape)
    x = reshape(x, (*[1] * lead, *x.shape))
    for axis, count in enumerate(times):
        if count != 1:
            x = take(x, torch.arange(x.shape[axis]).repeat(count), axis)
    return x


def pixel_shuffle(out: Tensor, x: Value, factor: int) -> Value:
    """Rearrange channels to higher resolution."""
    *_, channels, high, wide = x.shape
    split = meta(x).reshape(-1, channels // factor**2, factor, factor, high, wide)
    return reshape(viewed(x, split.permute(0, 1, 4, 2, 5, 3)), tuple(out.shape))


def pixel_unshuffle(out: Tensor, x: Value, factor: int) -> Value:
    """Rearrange pixels to channels."""
    *_, channels, high, wide = x.shape
    split = meta(x).reshape(-1, channels, high // factor, factor, wide // factor, factor)
    return reshape(viewed(x, split.permute(0, 1, 3, 5, 2, 4)), tuple(out.shape))


def copy(out: Tensor, x: Operand, source: Operand, non_blocking: bool = False) -> Operand:
    """Another tensor, broadcast to the shape of `x`."""
    return broadcast(out, [source, meta(x)])[0]


def select_scatter(out: Tensor, x: Operand, source: Operand, dim: int, index: int) -> Value:
    """`x` with one entry of a dimension replaced."""
    shape = list(shape_of(x))
    axis = dim % len(shape)
    start = index % shape[axis]
    shape[axis] = 1
    return slice_scatter(out, x, reshaped(source, shape), axis, start, start + 1)


def slice_scatter(
    out: Tensor,
    x: Operand,
    source: Operand,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Value:
    """`x` with a range of a dimension replaced."""
    side = shape_of(x)[dim]
    first, last, step = slice(start, end, step).indices(side)
    if step != 1:
        raise Unsupported("A network assigns to a slice with a step", "Use a step of 1.")
    parts = [_narrow(x, dim, 0, first), source, _narrow(x, dim, last, side - last)]
    return cat(out, [part for part in parts if prod(shape_of(part))], dim)


def _narrow(x: Operand, dim: int, start: int, length: int) -> Operand:
    if isinstance(x, Tensor):
        return x.narrow(dim, start, length)
    return viewed(x, meta(x).narrow(dim, start, length))


def filled(value: float) -> Lower:
    """A constant tensor with the shape of the result."""
    return lambda out, *args, **kwargs: torch.full(out.shape, value)


MOVEMENT: Mapping[str, Lower] = {
    **{name: lambda out, x, *args, **kwargs: x for name in IDENTITY},
    **{name: filled(0.0) for name in ("zeros_like", "new_zeros")},
    **{name: filled(1.0) for name in ("ones_like", "new_ones")},
    "fill": lambda out, x, value: copy(out, x, tensor(value)),
    "copy": copy,
    "select_scatter": select_scatter,
    "slice_scatter": slice_scatter,
    "full_like": lambda out, x, value, **kwargs: torch.full(out.shape, float(value)),
    "new_full": lambda out, x, size, value, **kwargs: torch.full(out.shape, float(value)),
    "cat": cat,
    "stack": stack,
    **dict.fromkeys(DROPOUT, dropout),
    "broadcast_tensors": broadcast,
    "flip": flip,
    "roll": roll,
    "repeat": repeat,
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
}

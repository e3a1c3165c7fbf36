"""Operators that move numbers, join tensors and create new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

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
    shape_of,
    take,
    viewed,
)

# Views: PyTorch computes their strides from a contiguous tensor.
VIEWS = frozenset(
    "view expand permute select slice squeeze unsqueeze split_with_sizes diagonal unfold".split()
)


def cat(out: Tensor, tensors: Sequence[Operand], dim: int = 0) -> Value:
    """Concatenate along a dimension."""
    # PyTorch ignores empty vectors among tensors of any shape.
    parts = tuple(part for part in tensors if shape_of(part) != (0,))
    axis = dim % len(out.shape)
    return Value("concat", parts, {"axis": axis}, tuple(out.shape), all(map(is_integer, parts)))


def copy(out: Tensor, x: Operand, source: Operand) -> Operand:
    """Another tensor, broadcast to the shape of `x`."""
    return _view(source, lambda tensor: tensor.expand(out.shape))


def flip(out: Tensor, x: Value, dims: Sequence[int]) -> Value:
    """Reverse some dimensions."""
    for dim in dims:
        axis = dim % len(x.shape)
        x = take(x, torch.arange(x.shape[axis] - 1, -1, -1), axis)
    return x


def repeat(out: Tensor, x: Value, times: Sequence[int]) -> Value:
    """Repeat along each dimension."""
    lead = len(times) - len(x.shape)
    x = reshape(x, (*[1] * lead, *x.shape))
    for axis, count in enumerate(times):
        if count != 1:
            x = take(x, torch.arange(x.shape[axis]).repeat(count), axis)
    return x


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
    before = _view(x, lambda tensor: tensor.narrow(dim, 0, first))
    after = _view(x, lambda tensor: tensor.narrow(dim, last, side - last))
    return cat(out, [part for part in (before, source, after) if prod(shape_of(part))], dim)


def _view(x: Operand, view: Callable[[Tensor], Tensor]) -> Operand:
    return view(x) if isinstance(x, Tensor) else viewed(x, view(meta(x)))


MOVEMENT: Mapping[str, Lower] = {
    **dict.fromkeys(("alias", "clone"), lambda out, x, **kwargs: x),
    "full_like": lambda out, x, value, **kwargs: torch.full(out.shape, float(value)),
    "copy": copy,
    "slice_scatter": slice_scatter,
    "cat": cat,
    "flip": flip,
    "repeat": repeat,
}

"""The nodes of an exported graph: values that depend on its inputs, and constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.errors import AutoencodeError

Shape = tuple[int, ...]


class Unsupported(AutoencodeError):
    """A network uses something that the graph of a web page cannot express."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the inputs: the result of an operation. It is contiguous."""

    op: str
    of: tuple[Value | Tensor, ...]
    args: Mapping[str, Any]
    shape: Shape
    # Whether it holds integers or booleans, which PyTorch divides and rounds by other rules.
    integer: bool = False

    def as_integer(self) -> Value:
        """Return the same value, marked as holding integers."""
        return replace(self, integer=True)


# A value or a constant.
Operand = Value | Tensor
# Translates an operator of PyTorch. It is called with the result as PyTorch describes it (its
# shape and type), followed by the arguments of the operator.
Lower = Callable[..., Any]


def shape_of(x: Operand) -> Shape:
    """The shape of an operand."""
    return tuple(x.shape)


def is_integer(x: Any) -> bool:
    """Whether an operand or a number is an integer or a boolean."""
    if isinstance(x, Value):
        return x.integer
    return not x.is_floating_point() if isinstance(x, Tensor) else isinstance(x, int)


def typed_as(out: Tensor, x: Operand) -> Value:
    """Mark a value as integer if the result of PyTorch, `out`, is."""
    assert isinstance(x, Value)
    return x if out.is_floating_point() else x.as_integer()


def tensor(x: Operand | float | bool) -> Operand:
    """Convert a number to a constant; operands are returned unchanged."""
    return x if isinstance(x, Value | Tensor) else torch.tensor(float(x))


def unary(name: str, x: Operand, **params: float | str) -> Value:
    """Apply a function to each number."""
    return Value("unary", (x,), {"name": name, **params}, shape_of(x))


def binary(name: str, a: Operand | float, b: Operand | float) -> Value:
    """Apply a function of two arguments, with broadcasting."""
    a, b = tensor(a), tensor(b)
    shape = np.broadcast_shapes(shape_of(a), shape_of(b))
    return Value("binary", (a, b), {"name": name}, shape)


def where(condition: Operand, a: Operand | float, b: Operand | float) -> Value:
    """Select a where the condition is not 0, else b, with broadcasting."""
    of = (tensor(condition), tensor(a), tensor(b))
    shape = np.broadcast_shapes(*map(shape_of, of))
    return Value("where", of, {}, shape)


def reshape(x: Operand, shape: Sequence[int]) -> Value:
    """Reshape an operand."""
    of = x.of if isinstance(x, Value) and x.op == "reshape" else (x,)
    return Value("reshape", of, {}, tuple(shape), is_integer(x))


def viewed(x: Value, view: Tensor) -> Value:
    """Apply to `x` the view that `view` is of a contiguous tensor of the same shape."""
    shape = tuple(view.shape)
    if shape == x.shape and view.is_contiguous():
        return x
    if view.is_contiguous() and view.storage_offset() == 0 and view.numel() == prod(x.shape):
        return reshape(x, shape)
    args = {"strides": list(view.stride()), "offset": view.storage_offset()}
    return Value("strided", (x,), args, shape, x.integer)


def meta(x: Operand) -> Tensor:
    """A contiguous tensor with the shape of `x` and without data."""
    return torch.empty(shape_of(x), device="meta")


def permute(x: Value, order: Sequence[int]) -> Value:
    """Permute the dimensions."""
    return viewed(x, meta(x).permute(*order))


def move_last(x: Value, dims: Sequence[int]) -> tuple[Value, list[int]]:
    """Move the dimensions `dims` behind all others; return the result and the permutation."""
    last = [d % len(x.shape) for d in dims]
    order = [d for d in range(len(x.shape)) if d not in last] + last
    return permute(x, order), order


def move_back(x: Value, order: Sequence[int]) -> Value:
    """Undo `move_last`."""
    return permute(x, [list(order).index(d) for d in range(len(order))])


def reduce(name: str, x: Value, dims: Sequence[int] | None, keep: bool = False) -> Value:
    """Reduce along some dimensions, or all without `dims`."""
    rank = len(x.shape)
    axes = sorted(d % rank for d in dims) if dims else list(range(rank))
    moved, _ = move_last(x, axes)
    rest = [x.shape[d] for d in range(rank) if d not in axes]
    size = prod(x.shape[d] for d in axes)
    found = Value("reduce", (moved,), {"name": name, "size": size}, tuple(rest))
    if not keep:
        return found
    return reshape(found, [1 if d in axes else x.shape[d] for d in range(rank)])


def linear(x: Operand, weight: Operand, bias: Operand | None) -> Value:
    """x Wᵀ + b along the last dimension."""
    if isinstance(weight, Value):
        product = matmul(x, permute(weight, (1, 0)))
        return product if bias is None else binary("add", product, bias)
    of = (x, weight) if bias is None else (x, weight, bias)
    return Value("linear", of, {}, (*shape_of(x)[:-1], shape_of(weight)[0]))


def matmul(a: Operand, b: Operand) -> Value:
    """The matrix product over the last two dimensions, with broadcasting of the others."""
    left, right = shape_of(a), shape_of(b)
    if len(left) == 1:
        made = matmul(reshaped(a, (1, *left)), b)
        return reshape(made, (*made.shape[:-2], made.shape[-1]))
    if len(right) == 1:
        made = matmul(a, reshaped(b, (*right, 1)))
        return reshape(made, made.shape[:-1])
    if isinstance(b, Tensor) and len(right) == 2:
        return linear(a, b.T.contiguous(), None)
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    return Value("matmul", (a, b), {}, (*batch, left[-2], right[-1]))


def reshaped(x: Operand, shape: Sequence[int]) -> Operand:
    """Reshape an operand; a constant remains a constant."""
    return x.reshape(tuple(shape)) if isinstance(x, Tensor) else reshape(x, shape)


def take(x: Operand, index: Operand, axis: int) -> Value:
    """Select entries along an axis by their indices."""
    shape = shape_of(x)
    made = (*shape[:axis], *shape_of(index), *shape[axis + 1 :])
    return Value("take", (x, index), {"axis": axis}, made, is_integer(x))

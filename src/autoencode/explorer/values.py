"""What a lowered network is made of: values that depend on its inputs, and constants."""

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
    """A network does what a graph for a web page has no op for."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that depends on the inputs: what one op makes of other values and of constants.

    Contiguous in memory, as all tensors of a graph are.
    """

    op: str
    of: tuple[Value | Tensor, ...]
    args: Mapping[str, Any]
    shape: Shape
    # Are its numbers whole ones, which torch divides and rounds by rules of their own?
    whole: bool = False

    def as_whole(self) -> Value:
        """The same, known to be whole numbers."""
        return replace(self, whole=True)


Known = Value | Tensor
# What an operator becomes: called with the result as PyTorch describes it (its shape and type),
# then with the operator's own arguments.
Lower = Callable[..., Any]


def shape_of(x: Known) -> Shape:
    """The shape of a value or of a constant."""
    return tuple(x.shape)


def is_whole(x: Any) -> bool:
    """Are these whole numbers or truth values?"""
    if isinstance(x, Value):
        return x.whole
    if isinstance(x, Tensor):
        return not x.is_floating_point()
    return isinstance(x, int)


def tensor(x: Known | float | bool) -> Known:
    """A number as a constant; values and constants as they are."""
    return x if isinstance(x, Value | Tensor) else torch.tensor(float(x))


def unary(name: str, x: Known, **params: float | str) -> Value:
    """A function of each number."""
    return Value("unary", (x,), {"name": name, **params}, shape_of(x))


def binary(name: str, a: Known | float, b: Known | float) -> Value:
    """A function of two numbers each, with broadcasting."""
    a, b = tensor(a), tensor(b)
    shape = np.broadcast_shapes(shape_of(a), shape_of(b))
    return Value("binary", (a, b), {"name": name}, shape)


def where(condition: Known, a: Known | float, b: Known | float) -> Value:
    """a where the condition is not 0, and b elsewhere, with broadcasting."""
    of = (tensor(condition), tensor(a), tensor(b))
    shape = np.broadcast_shapes(*map(shape_of, of))
    return Value("where", of, {}, shape)


def reshape(x: Known, shape: Sequence[int]) -> Value:
    """The same numbers in another shape."""
    if isinstance(x, Value) and x.op == "reshape":
        return Value("reshape", x.of, {}, tuple(shape), x.whole)
    return Value("reshape", (x,), {}, tuple(shape), is_whole(x))


def viewed(x: Value, view: Tensor) -> Value:
    """What a view of a contiguous tensor of the shape of `x` shows of it."""
    shape = tuple(view.shape)
    if shape == x.shape and view.is_contiguous():
        return x
    if view.is_contiguous() and view.storage_offset() == 0 and view.numel() == prod(x.shape):
        return reshape(x, shape)
    args = {"strides": list(view.stride()), "offset": view.storage_offset()}
    return Value("strided", (x,), args, shape, x.whole)


def skeleton(x: Known) -> Tensor:
    """A contiguous tensor of the shape of `x`, without numbers."""
    return torch.empty(shape_of(x), device="meta")


def permute(x: Value, order: Sequence[int]) -> Value:
    """The dimensions in another order."""
    return viewed(x, skeleton(x).permute(*order))


def with_last(x: Value, dims: Sequence[int]) -> tuple[Value, list[int]]:
    """The dimensions `dims` moved behind all others, and the order that does it."""
    last = [d % len(x.shape) for d in dims]
    order = [d for d in range(len(x.shape)) if d not in last] + last
    return permute(x, order), order


def back(x: Value, order: Sequence[int]) -> Value:
    """The dimensions where they were before `with_last`."""
    return permute(x, [list(order).index(d) for d in range(len(order))])


def reduce(name: str, x: Value, dims: Sequence[int] | None, keep: bool = False) -> Value:
    """One number of all along some dimensions; of all numbers without `dims`."""
    rank = len(x.shape)
    axes = sorted(d % rank for d in dims) if dims else list(range(rank))
    moved, _ = with_last(x, axes)
    rest = [x.shape[d] for d in range(rank) if d not in axes]
    size = prod(x.shape[d] for d in axes)
    found = Value("reduce", (moved,), {"name": name, "size": size}, tuple(rest))
    if not keep:
        return found
    return reshape(found, [1 if d in axes else x.shape[d] for d in range(rank)])


def linear(x: Known, weight: Known, bias: Known | None) -> Value:
    """x Wᵀ + b along the last dimension."""
    if isinstance(weight, Value):
        turned = permute(weight, (1, 0))
        product = matmul(x, turned)
        return product if bias is None else binary("add", product, bias)
    of = (x, weight) if bias is None else (x, weight, bias)
    return Value("linear", of, {}, (*shape_of(x)[:-1], shape_of(weight)[0]))


def matmul(a: Known, b: Known) -> Value:
    """The matrix product of the last two dimensions, with broadcasting of those before."""
    left, right = shape_of(a), shape_of(b)
    if len(left) == 1:
        made = matmul(reshaped(a, (1, *left)), b)
        return reshape(made, (*made.shape[:-2], made.shape[-1]))
    if len(right) == 1:
        made = matmul(a, reshaped(b, (*right, 1)))
        return reshape(made, made.shape[:-1])
    if isinstance(b, Tensor) and len(right) == 2:
        return linear(a, b.T.contiguous(), None)
    lead = np.broadcast_shapes(left[:-2], right[:-2])
    return Value("matmul", (a, b), {}, (*lead, left[-2], right[-1]))


def reshaped(x: Known, shape: Sequence[int]) -> Known:
    """`reshape`, of constants too."""
    return x.reshape(tuple(shape)) if isinstance(x, Tensor) else reshape(x, shape)


def take(x: Known, index: Known, axis: int) -> Value:
    """Entries along an axis, by their numbers."""
    shape = shape_of(x)
    made = (*shape[:axis], *shape_of(index), *shape[axis + 1 :])
    return Value("take", (x, index), {"axis": axis}, made, is_whole(x))

"""Reductions, and operators that select by index."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencode.explorer.values import (
    Lower,
    Operand,
    Unsupported,
    Value,
    binary,
    is_integer,
    move_back,
    move_last,
    reduce,
    shape_of,
    take,
    typed_as,
    unary,
)

Dims = int | Sequence[int] | None


def _dims(dims: Dims) -> Sequence[int] | None:
    return [dims] if isinstance(dims, int) else dims


def _reduced(name: str) -> Lower:
    def lower(out: Any, x: Value, dim: Dims = None, keepdim: bool = False, **kwargs: Any) -> Value:
        return typed_as(out, reduce(name, x, _dims(dim), keepdim))

    return lower


def any_of(out: Tensor, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    """Whether any number is not 0."""
    return reduce("max", binary("ne", x, 0), _dims(dim), keepdim).as_integer()


def _extreme(name: str) -> Lower:
    """The maximum or minimum; along one dimension, with its index as second result."""

    def lower(out: Any, x: Value, dim: int | None = None, keepdim: bool = False) -> Any:
        found = reduce(name, x, _dims(dim), keepdim)
        if dim is None:
            return found
        return [found, reduce(f"arg{name}", x, _dims(dim), keepdim).as_integer()]

    return lower


def norm(
    out: Tensor, x: Value, ord: float = 2, dim: Dims = None, keepdim: bool = False, **kwargs: Any
) -> Value:
    """(Σ |x|ᵖ)^(1/p)."""
    dims = _dims(dim)
    if ord == 2:
        return unary("sqrt", reduce("sum", unary("square", x), dims, keepdim))
    size = unary("abs", x)
    if math.isinf(ord):
        return reduce("max" if ord > 0 else "min", size, dims, keepdim)
    if ord == 1:
        return reduce("sum", size, dims, keepdim)
    total = reduce("sum", binary("pow", size, ord), dims, keepdim)
    return binary("pow", total, 1 / ord)


def variance(
    out: Tensor,
    x: Value,
    dim: Dims = None,
    correction: float | None = None,
    keepdim: bool = False,
) -> Value:
    """The variance, divided by n − 1 by default."""
    dims = _dims(dim) or list(range(len(x.shape)))
    n = math.prod(x.shape[d] for d in dims)
    squares = unary("square", binary("sub", x, reduce("mean", x, dims, keep=True)))
    less = 1 if correction is None else correction
    return binary("div", reduce("sum", squares, dims, keepdim), n - less)


def softmax(out: Tensor, x: Value, dim: int, half_to_float: bool) -> Value:
    """eˣ divided by its sum."""
    e = unary("exp", binary("sub", x, reduce("max", x, [dim], keep=True)))
    return binary("div", e, reduce("sum", e, [dim], keep=True))


def log_softmax(out: Tensor, x: Value, dim: int, half_to_float: bool) -> Value:
    """x − ln Σ eˣ."""
    top = binary("sub", x, reduce("max", x, [dim], keep=True))
    total = reduce("sum", unary("exp", top), [dim], keep=True)
    return binary("sub", top, unary("log", total))


def topk(
    out: Any, x: Value, k: int, dim: int = -1, largest: bool = True, ordered: bool = True
) -> list[Value]:
    """The k largest numbers along a dimension, and their indices."""
    moved, order = move_last(x, [dim])
    shape = (*moved.shape[:-1], k)
    found = []
    for part in ("values", "indices"):
        args = {"part": part, "k": k, "size": moved.shape[-1], "largest": largest}
        found.append(move_back(Value("topk", (moved,), args, shape, part == "indices"), order))
    return found


def scatter(out: Tensor, x: Operand, dim: int, index: Operand, source: Any, **kwargs: Any) -> Value:
    """`x` with numbers of `source` at indices along a dimension."""
    if kwargs:
        raise Unsupported("A network scatters with a reduction", "Use plain `scatter`.")
    shape = shape_of(index)
    source = source if isinstance(source, Value | Tensor) else torch.full(shape, float(source))
    if shape_of(source) != shape or shape[:-1] != shape_of(x)[:-1]:
        raise Unsupported("A network scatters into a part of a tensor", "Scatter into all of it.")
    if dim % len(shape) != len(shape) - 1:
        raise Unsupported("A network scatters along an inner dimension", "Put it last.")
    args = {"size": shape_of(x)[-1], "count": shape[-1]}
    return Value("scatter", (x, index, source), args, shape_of(x), is_integer(x))


def gather(out: Tensor, x: Operand, dim: int, index: Operand, **kwargs: Any) -> Value:
    """Numbers of `x` at indices along a dimension."""
    shape = shape_of(index)
    if dim % len(shape) != len(shape) - 1 or shape[:-1] != shape_of(x)[:-1]:
        raise Unsupported("A network gathers along an inner dimension", "Put it last.")
    args = {"size": shape_of(x)[-1], "count": shape[-1]}
    return Value("gather", (x, index), args, shape, is_integer(x))


def index(out: Tensor, x: Operand, indices: Sequence[Operand | None]) -> Value:
    """Entries along one axis, by index or by mask."""
    given = [(axis, each) for axis, each in enumerate(indices) if each is not None]
    if len(given) != 1:
        raise Unsupported("A network is indexed along several dimensions", "Use one at a time.")
    ((axis, each),) = given
    if isinstance(each, Tensor):
        each = each.nonzero().flatten() if each.dtype is torch.bool else each
        each = torch.where(each < 0, each + shape_of(x)[axis], each)
    return take(x, each, axis)


def cumsum(out: Tensor, x: Value, dim: int, **kwargs: Any) -> Value:
    """The cumulative sum along a dimension."""
    moved, order = move_last(x, [dim])
    lower = torch.ones(moved.shape[-1], moved.shape[-1]).tril()
    return move_back(Value("linear", (moved, lower), {}, moved.shape), order)


REDUCTIONS: Mapping[str, Lower] = {
    **{name: _reduced(name) for name in ("sum", "mean", "prod", "argmax", "argmin")},
    "amax": _reduced("max"),
    "amin": _reduced("min"),
    "max": _extreme("max"),
    "min": _extreme("min"),
    "any": any_of,
    "linalg_vector_norm": norm,
    "var": variance,
    "_softmax": softmax,
    "_log_softmax": log_softmax,
    "cumsum": cumsum,
    "topk": topk,
    "scatter": scatter,
    "gather": gather,
    "index": index,
    "index_select": lambda out, x, dim, index: take(x, index, dim % len(shape_of(x))),
    "embedding": lambda out, weight, index, *args: take(weight, index, 0),
}

"""Operators that make one number of many, or choose among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencode.explorer.values import (
    Known,
    Lower,
    Unsupported,
    Value,
    back,
    binary,
    is_whole,
    reduce,
    reshape,
    shape_of,
    take,
    unary,
    with_last,
)

Dims = int | Sequence[int] | None


def _dims(dims: Dims) -> Sequence[int] | None:
    return [dims] if isinstance(dims, int) else dims


def _reduced(name: str) -> Lower:
    def lower(out: Any, x: Value, dim: Dims = None, keepdim: bool = False, **kwargs: Any) -> Value:
        made = reduce(name, x, _dims(dim), keepdim)
        return made.as_whole() if x.whole and name != "mean" else made

    return lower


def _place(name: str) -> Lower:
    """Where along a dimension the largest or smallest number stands; the first of several."""

    def lower(out: Any, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
        return reduce(name, x, _dims(dim), keepdim).as_whole()

    return lower


def _extreme(name: str) -> Lower:
    """The largest or smallest number; along one dimension, with its place beside it."""

    def lower(out: Any, x: Value, dim: Any = None, keepdim: bool = False) -> Any:
        if isinstance(dim, Value | Tensor):
            return binary(name, x, dim)
        found = reduce(name, x, _dims(dim), keepdim)
        if dim is None:
            return found
        return [found, reduce(f"arg{name}", x, _dims(dim), keepdim).as_whole()]

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


def old_norm(out: Tensor, x: Value, p: float | None = 2, *args: Any, **kwargs: Any) -> Value:
    """`norm`, as it was called before."""
    return norm(out, x, 2 if p is None else p, *args, **kwargs)


def variance(
    out: Tensor,
    x: Value,
    dim: Dims | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    correction: float | None = None,
) -> Value:
    """The mean squared distance to the mean; of n − 1 numbers, not n, by default."""
    if isinstance(dim, bool):
        return variance(out, x, None, dim)
    dims = _dims(dim) or list(range(len(x.shape)))
    n = math.prod(x.shape[d] for d in dims)
    away = unary("square", binary("sub", x, reduce("mean", x, dims, keep=True)))
    less = float(unbiased) if correction is None else correction
    return binary("div", reduce("sum", away, dims, keepdim), n - less)


def softmax(x: Value, dim: int) -> Value:
    """eˣ divided by its sum."""
    e = unary("exp", binary("sub", x, reduce("max", x, [dim], keep=True)))
    return binary("div", e, reduce("sum", e, [dim], keep=True))


def logsumexp(out: Tensor, x: Value, dim: Dims, keepdim: bool = False) -> Value:
    """ln Σ eˣ."""
    top = reduce("max", x, _dims(dim), keep=True)
    total = reduce("sum", unary("exp", binary("sub", x, top)), _dims(dim), keep=True)
    made = binary("add", unary("log", total), top)
    return made if keepdim else reshape(made, tuple(out.shape))


def log_softmax(out: Tensor, x: Value, dim: int, *args: Any) -> Value:
    """x − ln Σ eˣ."""
    top = binary("sub", x, reduce("max", x, [dim], keep=True))
    total = reduce("sum", unary("exp", top), [dim], keep=True)
    return binary("sub", top, unary("log", total))


def topk(
    out: Any, x: Value, k: int, dim: int = -1, largest: bool = True, ordered: bool = True
) -> list[Value]:
    """The k largest numbers along a dimension, and their places."""
    moved, order = with_last(x, [dim])
    shape = (*moved.shape[:-1], k)
    found = []
    for part in ("values", "places"):
        args = {"part": part, "k": k, "size": moved.shape[-1], "largest": largest}
        found.append(back(Value("topk", (moved,), args, shape, part == "places"), order))
    return found


def scatter(out: Tensor, x: Known, dim: int, index: Known, source: Any, **kwargs: Any) -> Value:
    """`x` with numbers of `source` at places along a dimension."""
    if kwargs:
        raise Unsupported("A network adds up what it scatters", "Use a plain `scatter`.")
    shape = shape_of(index)
    source = source if isinstance(source, Value | Tensor) else torch.full(shape, float(source))
    if shape_of(source) != shape or shape[:-1] != shape_of(x)[:-1]:
        raise Unsupported("A network scatters into a part of a tensor", "Scatter into all of it.")
    if dim % len(shape) != len(shape) - 1:
        raise Unsupported("A network scatters along an inner dimension", "Put it last.")
    args = {"size": shape_of(x)[-1], "count": shape[-1]}
    return Value("scatter", (x, index, source), args, shape_of(x), is_whole(x))


def gather(out: Tensor, x: Known, dim: int, index: Known, **kwargs: Any) -> Value:
    """Numbers of `x` at places along a dimension."""
    shape = shape_of(index)
    if dim % len(shape) != len(shape) - 1 or shape[:-1] != shape_of(x)[:-1]:
        raise Unsupported("A network gathers along an inner dimension", "Put it last.")
    args = {"size": shape_of(x)[-1], "count": shape[-1]}
    return Value("gather", (x, index), args, shape, is_whole(x))


def index(out: Tensor, x: Known, places: Sequence[Known | None]) -> Value:
    """Entries along one axis, by their numbers."""
    axes = [axis for axis, place in enumerate(places) if place is not None]
    if len(axes) != 1:
        raise Unsupported("A network is indexed along several dimensions", "Use one at a time.")
    place = places[axes[0]]
    assert place is not None
    if isinstance(place, Tensor):
        place = place.nonzero().flatten() if place.dtype is torch.bool else place
        place = torch.where(place < 0, place + shape_of(x)[axes[0]], place)
    return take(x, place, axes[0])


def one_hot(out: Tensor, x: Value, classes: int) -> Value:
    """1 at the place that each number names, 0 elsewhere."""
    made = binary("eq", reshape(x, (*x.shape, 1)), torch.arange(float(out.shape[-1])))
    return made.as_whole()


def cumsum(out: Tensor, x: Value, dim: int, **kwargs: Any) -> Value:
    """Sums of all numbers up to each, along a dimension."""
    moved, order = with_last(x, [dim])
    upto = torch.ones(moved.shape[-1], moved.shape[-1]).tril()
    return back(Value("linear", (moved, upto), {}, moved.shape), order)


REDUCTIONS: Mapping[str, Lower] = {
    **{name: _reduced(name) for name in ("sum", "mean", "prod")},
    "amax": _reduced("max"),
    "amin": _reduced("min"),
    "max": _extreme("max"),
    "min": _extreme("min"),
    "argmax": _place("argmax"),
    "argmin": _place("argmin"),
    "any": lambda out, x, dim=None, keepdim=False: binary(
        "gt", reduce("max", binary("ne", x, 0), _dims(dim), keepdim), 0
    ).as_whole(),
    "all": lambda out, x, dim=None, keepdim=False: binary(
        "gt", reduce("min", binary("ne", x, 0), _dims(dim), keepdim), 0
    ).as_whole(),
    "linalg_vector_norm": norm,
    "norm": old_norm,
    "var": variance,
    "std": lambda *args, **kwargs: unary("sqrt", variance(*args, **kwargs)),
    "softmax": lambda out, x, dim, *args: softmax(x, dim),
    "_softmax": lambda out, x, dim, *args: softmax(x, dim),
    "log_softmax": log_softmax,
    "_log_softmax": log_softmax,
    "logsumexp": logsumexp,
    "cumsum": cumsum,
    "topk": topk,
    "scatter": scatter,
    "gather": gather,
    "index": index,
    "index_select": lambda out, x, dim, places: take(x, places, dim % len(shape_of(x))),
    "embedding": lambda out, weight, places, *args: take(weight, places, 0),
    "one_hot": one_hot,
}

"""Batches whose examples are divided among several processes.

Inside `sharded`, a process computes some rows of a batch. The functions of this module give what
parts need of the other rows: all codes of the batch, sums over it, and random numbers that are the
rows of those that one process would draw. Outside, each of them does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Shard(NamedTuple):
    """The rows of a batch that this process computes.

    rank: the number of this process, from 0.   size: the number of processes.
    start, stop: its rows.   total: the number of rows of the batch.
    add: replaces a tensor by its sum over all processes, in place; each process calls it with a
        tensor of the same shape.
    """

    rank: int
    size: int
    start: int
    stop: int
    total: int
    add: Callable[[Tensor], None]

    @property
    def rows(self) -> int:
        """The number of rows of this process."""
        return self.stop - self.start


_SHARD: ContextVar[Shard | None] = ContextVar("shard", default=None)


def current_shard() -> Shard | None:
    """The rows of the batch that this process computes; None if it computes all of them."""
    return _SHARD.get()


@contextmanager
def sharded(shard: Shard | None) -> Iterator[None]:
    """Context manager inside which this process computes these rows of each batch; None for all."""
    before = _SHARD.set(shard)
    try:
        yield
    finally:
        _SHARD.reset(before)


def whole_batch(x: Tensor, dim: int = 0) -> Tensor:
    """The values of all rows of the batch, differentiable.

    x: the values of the rows of this process along `dim`; each row may have several, one after the
        other. Values of all processes are joined in the order of the batch.
    """
    shard = _SHARD.get()
    if shard is None:
        return x
    each = x.shape[dim] // shard.rows
    before, after = (
        x.new_zeros(_resized(x.shape, dim, each * rows))
        for rows in (shard.start, shard.total - shard.stop)
    )
    padded = torch.cat([before, x, after], dim)
    # Sums of numbers only.
    return _sum(padded.byte(), shard).bool() if x.dtype is torch.bool else _sum(padded, shard)


def of_processes(x: Tensor) -> Tensor:
    """The tensors of all processes, [processes, *x.shape], differentiable."""
    shard = _SHARD.get()
    if shard is None:
        return x[None]
    with sharded(shard._replace(start=shard.rank, stop=shard.rank + 1, total=shard.size)):
        return whole_batch(x[None])


def own_rows(x: Tensor, dim: int = 0) -> Tensor:
    """The values of the rows of this process, out of those of the whole batch along `dim`."""
    shard = _SHARD.get()
    if shard is None:
        return x
    each = x.shape[dim] // shard.total
    return x.narrow(dim, each * shard.start, each * shard.rows)


def batch_sum(x: Tensor) -> Tensor:
    """The sum over all processes of a sum over the rows of each, differentiable."""
    shard = _SHARD.get()
    return x if shard is None else _sum(x, shard)


def batch_count(n: int) -> int:
    """The number of values of the whole batch, where those of this process have `n`."""
    shard = _SHARD.get()
    return n if shard is None else n // shard.rows * shard.total


def batch_noise(
    draw: Callable[[tuple[int, ...]], Tensor], shape: Sequence[int], dim: int = 0
) -> Tensor:
    """Random numbers of `shape`, one row for each row of this process along `dim` ≥ 0.

    draw: draws numbers of a shape. Each process draws those of the whole batch and takes its rows.
        A shape that has not the rows of this process along `dim` is drawn as it is.
    """
    shard = _SHARD.get()
    if shard is None or shape[dim] != shard.rows:
        return draw(tuple(shape))
    with sharded(None):
        drawn = draw(_resized(shape, dim, shard.total))
    return drawn.narrow(dim, shard.start, shard.rows)


def noise_like(draw: Callable[[Tensor], Tensor], like: Tensor, dim: int = 0) -> Tensor:
    """As `batch_noise`, for a function such as `torch.randn_like` and a tensor of that shape."""
    if _SHARD.get() is None:
        return draw(like)
    return batch_noise(lambda shape: draw(like.new_empty(shape)), like.shape, dim)


def _sum(x: Tensor, shard: Shard) -> Tensor:
    total: Tensor = _Sum.apply(x, shard.add)  # type: ignore[no-untyped-call]  # torch has none
    return total


class _Sum(torch.autograd.Function):
    """Sum over all processes; the gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Callable[[Tensor], None]) -> Tensor:
        ctx.add = add
        # Not every library for sums over processes supports half precision.
        half = x.dtype in (torch.float16, torch.bfloat16)
        total = x.float() if half else x.clone(memory_format=torch.contiguous_format)
        add(total)
        return total.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Sum.apply(gradient, ctx.add), None  # type: ignore[no-untyped-call]  # torch has none


def _resized(shape: Sequence[int], dim: int, size: int) -> tuple[int, ...]:
    resized = list(shape)
    resized[dim] = size
    return tuple(resized)

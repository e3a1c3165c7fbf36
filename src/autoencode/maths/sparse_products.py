"""Matrix products with matrices that are mostly 0, such as sparse codes and their gradients.

In a linear autoencoder with sparse codes, three of the five products of a training step have such
a factor. On a processor, sums of the rows that are used take a few per cent of their time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.maths.tracing import traced

# The largest share of nonzero values for which sums of rows are faster than a dense product.
MAX_SHARE = 0.05


def decode_sparse(z: Tensor, weight: Tensor) -> Tensor:
    """z W for codes z [B, d], most of which is 0, and weights W [d, D]."""
    if not _is_useful(z):
        return z @ weight
    product: Tensor = _Decoded.apply(z, weight)  # type: ignore[no-untyped-call]  # torch has none
    return product


def encode_sparse(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b [B, d] for W [d, D], of which few values have a gradient that is not 0."""
    if not _is_useful(x):
        return functional.linear(x, weight, bias)
    features: Tensor = _Encoded.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # as above
    return features


def _is_useful(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_grad_enabled() and not traced()


def _product(a: Tensor, b: Tensor) -> Tensor:
    """A B for a matrix A [n, m] that may be mostly 0, and B [m, D]."""
    # Gradients are only recorded here for derivatives of derivatives, which also change zeros.
    if torch.is_grad_enabled() or int(a.count_nonzero()) > MAX_SHARE * a.numel():
        return a @ b
    rows, columns = a.nonzero(as_tuple=True)
    counts = rows.bincount(minlength=len(a))
    return functional.embedding_bag(
        columns,
        b.contiguous(),
        counts.cumsum(0) - counts,
        mode="sum",
        per_sample_weights=a[rows, columns],
    )


class _Decoded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(z, weight)
        return _product(z, weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        (z, weight), (slope,) = ctx.saved_tensors, slopes
        of_z, of_weight = ctx.needs_input_grad
        return (
            slope @ weight.T if of_z else None,
            _product(z.T, slope) if of_weight else None,
        )


class _Encoded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        (x, weight), (slope,) = ctx.saved_tensors, slopes
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _product(slope, weight) if of_x else None,
            _product(slope.T, x) if of_weight else None,
            slope.sum(0) if of_bias else None,
        )

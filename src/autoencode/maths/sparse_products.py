"""Matrix products with matrices that are mostly 0, such as sparse codes and their gradients.

In a linear autoencoder with sparse codes, three of the five products of a training step have such
a factor. On a processor, sums of the rows that are used take a few per cent of their time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.maths.tracing import traced

# The largest share of nonzero values for which sums of rows are faster than a dense product.
MAX_SHARE = 0.05


def decode_sparse(
    z: Tensor, weight: Tensor, unit: bool = False, precision: torch.dtype | None = None
) -> Tensor:
    """z W for codes z [B, d], most of which is 0, and weights W [d, D].

    unit: each row of W is divided by its norm.
    precision: of the factors of the gradient of z, the one product that is dense; None is theirs.
    """
    if not _is_useful(z):
        return (z / weight.norm(dim=1) if unit else z) @ weight
    product: Tensor = _Decoded.apply(z, weight, unit, precision)  # type: ignore[no-untyped-call]
    return product  # torch gives `apply` no types


def encode_sparse(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x Wᵀ + b [B, d] for W [d, D], of which few values have a gradient that is not 0."""
    if not _is_useful(x):
        return functional.linear(x, weight, bias)
    features: Tensor = _Encoded.apply(x, weight, bias)  # type: ignore[no-untyped-call]  # as above
    return features


def _is_useful(x: Tensor) -> bool:
    return x.device.type == "cpu" and torch.is_grad_enabled() and not traced()


class _Nonzero(NamedTuple):
    """The values of a matrix [n, m] that are not 0, row by row.

    rows, columns: their positions, [count].
    """

    matrix: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> _Nonzero | None:
        """None where a dense product is better."""
        # Gradients are only recorded here for derivatives of derivatives, which also change zeros.
        if torch.is_grad_enabled() or int(matrix.count_nonzero()) > MAX_SHARE * matrix.numel():
            return None
        return cls(matrix, *matrix.nonzero(as_tuple=True))

    def times(self, other: Tensor) -> Tensor:
        """The product with a matrix [m, D], [n, D]."""
        return _sums(self.rows, self.columns, self.matrix, len(self.matrix), other)

    def transposed_times(self, other: Tensor) -> Tensor:
        """The product of the transposed matrix with a matrix [n, D], [m, D]."""
        # The positions are few: to sort them takes a tenth of the time to find them anew.
        order = self.columns.argsort(stable=True)
        columns, rows = self.columns[order], self.rows[order]
        return _sums(columns, rows, self.matrix.T, self.matrix.shape[1], other)


def _sums(to: Tensor, of: Tensor, factors: Tensor, count: int, rows: Tensor) -> Tensor:
    """Sums of rows with factors, [count, D]: factors[to, of] · rows[of]; `to` is sorted."""
    counts = to.bincount(minlength=count)
    return functional.embedding_bag(
        of,
        rows.contiguous(),
        counts.cumsum(0) - counts,
        mode="sum",
        per_sample_weights=factors[to, of],
    )


class _Decoded(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, weight: Tensor, unit: bool, precision: torch.dtype | None
    ) -> Tensor:
        norms = weight.norm(dim=1) if unit else None
        scaled = z if norms is None else z / norms
        ctx.save_for_backward(z, weight)
        ctx.norms, ctx.nonzero, ctx.precision = norms, _Nonzero.of(scaled), precision
        return scaled @ weight if ctx.nonzero is None else ctx.nonzero.times(weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        (z, weight), (slope,) = ctx.saved_tensors, slopes
        if torch.is_grad_enabled():  # for derivatives of derivatives
            return *_plain_gradients(z, weight, slope, ctx.norms is not None), None, None
        of_z, of_weight, *_ = ctx.needs_input_grad
        norms, nonzero, slope_of_z, slope_of_weight = ctx.norms, ctx.nonzero, None, None
        if of_z or norms is not None:
            kind = ctx.precision or weight.dtype
            slope_of_z = (slope.to(kind) @ weight.to(kind).T).to(z.dtype)
            if norms is not None:
                slope_of_z /= norms
        if of_weight:
            if nonzero is None:
                slope_of_weight = (z if norms is None else z / norms).T @ slope
            else:
                slope_of_weight = nonzero.transposed_times(slope)
            if norms is not None:
                # The length of a row has no effect: it gets no gradient along itself.
                along = torch.linalg.vecdot(slope_of_weight, weight) / norms.square()
                slope_of_weight.addcmul_(weight, along[:, None], value=-1)
        return slope_of_z if of_z else None, slope_of_weight, None, None


def _plain_gradients(z: Tensor, weight: Tensor, slope: Tensor, unit: bool) -> tuple[Tensor, Tensor]:
    """The gradients of z and of the weights, of which derivatives can be taken."""
    if not unit:
        return slope @ weight.T, z.T @ slope
    norms = weight.norm(dim=1)
    of_weight = (z / norms).T @ slope
    along = torch.linalg.vecdot(of_weight, weight) / norms.square()
    return slope @ weight.T / norms, of_weight - along[:, None] * weight


class _Encoded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> tuple[Tensor | None, ...]:
        (x, weight), (slope,) = ctx.saved_tensors, slopes
        of_x, of_weight, of_bias = ctx.needs_input_grad
        nonzero = _Nonzero.of(slope)
        return (
            (slope @ weight if nonzero is None else nonzero.times(weight)) if of_x else None,
            (slope.T @ x if nonzero is None else nonzero.transposed_times(x))
            if of_weight
            else None,
            slope.sum(0) if of_bias else None,
        )

"""Products of sparse codes, beside the dense products that they replace."""

import pytest
import torch
from torch.nn import functional

from autoencode.maths import decode_sparse, encode_sparse, tracing
from autoencode.maths.sparse_products import MAX_SHARE


def sparse(rows, columns, share, seed=0):
    """A matrix with this share of nonzero values, and an empty row and column."""
    draw = torch.Generator().manual_seed(seed)
    made = torch.randn(rows, columns, generator=draw, dtype=torch.float64)
    made[torch.rand(rows, columns, generator=draw) >= share] = 0
    made[0], made[:, 1] = 0, 0
    return made


def gradients(loss, *of):
    return torch.autograd.grad(loss, of)


SHARES = [0.0, 0.002, 0.04, MAX_SHARE, 0.3, 1.0]


@pytest.mark.parametrize("share", SHARES)
def test_decoding_is_the_dense_product(share):
    z, w = sparse(30, 200, share).requires_grad_(), sparse(200, 7, 1.0, 1).requires_grad_()
    found, expected = decode_sparse(z, w), z @ w
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        gradients(found.sin().sum(), z, w), gradients(expected.sin().sum(), z, w)
    )


@pytest.mark.parametrize("share", SHARES)
def test_encoding_is_the_dense_product(share):
    x, w = sparse(30, 7, 1.0).requires_grad_(), sparse(200, 7, 1.0, 1).requires_grad_()
    b = torch.randn(200, dtype=torch.float64).requires_grad_()
    kept = sparse(30, 200, share, 2)  # the gradient of the features
    found, expected = encode_sparse(x, w, b), functional.linear(x, w, b)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        gradients((found * kept).sum(), x, w, b), gradients((expected * kept).sum(), x, w, b)
    )


def test_derivatives_of_derivatives():
    z, w = sparse(9, 60, 0.03).requires_grad_(), sparse(60, 4, 1.0, 1).requires_grad_()
    assert torch.autograd.gradgradcheck(decode_sparse, (z, w))


def test_without_gradients_and_in_traces_products_are_dense():
    z, w = sparse(9, 60, 0.03).requires_grad_(), sparse(60, 4, 1.0, 1)
    assert "Decoded" in type(decode_sparse(z, w).grad_fn).__name__
    with tracing():
        assert "Decoded" not in type(decode_sparse(z, w).grad_fn).__name__
    with torch.no_grad():
        assert torch.equal(decode_sparse(z, w), z @ w)

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
def test_decoding_by_directions_of_norm_1(share):
    z, w = sparse(30, 200, share).requires_grad_(), sparse(200, 7, 1.0, 1)
    w[:2] = 3.0  # no row is 0
    w.requires_grad_()
    directions = torch.stack([row / row.square().sum().sqrt() for row in w])
    found, expected = decode_sparse(z, w, unit=True), z @ directions
    torch.testing.assert_close(found, expected)
    of_z, of_w = gradients(expected.sin().sum(), z, w)
    torch.testing.assert_close(gradients(found.sin().sum(), z, w), (of_z, of_w))
    (alone,) = gradients(decode_sparse(z.detach(), w, unit=True).sin().sum(), w)
    torch.testing.assert_close(alone, of_w)


def test_only_the_gradient_of_codes_is_rounded():
    z, w = sparse(30, 200, 0.03).float().requires_grad_(), sparse(200, 7, 1.0, 1).float()
    w[:2] = 3.0
    w.requires_grad_()
    exact, rounded = (decode_sparse(z, w, True, kind) for kind in (None, torch.bfloat16))
    assert torch.equal(exact, rounded)
    (of_z, of_w), (of_z_16, of_w_16) = (gradients(y.sin().sum(), z, w) for y in (exact, rounded))
    assert torch.equal(of_w, of_w_16)
    error = (of_z - of_z_16).abs().max() / of_z.abs().max()
    assert 1e-5 < error < 0.02


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
    w.data[0] = 1.0
    assert torch.autograd.gradgradcheck(lambda z, w: decode_sparse(z, w, unit=True), (z, w))


def test_without_gradients_and_in_traces_products_are_dense():
    z, w = sparse(9, 60, 0.03).requires_grad_(), sparse(60, 4, 1.0, 1)
    assert "Decoded" in type(decode_sparse(z, w).grad_fn).__name__
    with tracing():
        assert "Decoded" not in type(decode_sparse(z, w).grad_fn).__name__
    with torch.no_grad():
        assert torch.equal(decode_sparse(z, w), z @ w)

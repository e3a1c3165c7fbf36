"""The squared Jacobian of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from autoencode.maths.sharding import noise_like


def squared_jacobian(
    f: Callable[[Tensor], Tensor], x: Tensor, probes: int | None = None, batch_dims: int = 1
) -> Tensor:
    """Squared Frobenius norm of the Jacobian of each example, ‖∂f(x)/∂x‖²_F, [*batch].

    f: a differentiable map of examples [*batch, *event] to outputs [*batch, *other].
    probes: None for the exact value, with one backward pass per output. A number for an unbiased
        estimate from that many random directions v: E ‖vᵀJ‖² = ‖J‖²_F.  Source: [hutchinson1989].

    The result is differentiable in the parameters of f, but not in x. It can be computed under
    `no_grad`, without a graph.

    Directions have random signs, independent for each example. This matters only if f couples
    examples, as batch normalisation does in training mode: the expected value then includes the
    squared derivatives of the outputs of other examples, which would otherwise cancel in the sum.
    """
    building = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = f(x)
        total = x.new_zeros(x.shape[:batch_dims])
        # The products of the backward pass keep the precision of the forward one.
        with torch.autocast(x.device.type, enabled=False):
            for v in _directions(y.detach(), probes, batch_dims):
                (row,) = torch.autograd.grad(y, x, v, create_graph=building, retain_graph=True)
                total = total + row.square().flatten(batch_dims).sum(-1)
    total = total if probes is None else total / probes
    return total if building else total.detach()


def _directions(y: Tensor, probes: int | None, batch_dims: int) -> Iterator[Tensor]:
    """Directions v in the shape of the outputs."""
    if probes is not None:
        for _ in range(probes):
            yield _signs(y, batch_dims - 1)
        return
    flat = torch.zeros_like(y).flatten(batch_dims)
    for output in range(flat.shape[-1]):
        v = flat.clone()
        v[..., output] = _signs(v[..., output], batch_dims - 1)
        yield v.view_as(y)


def _signs(like: Tensor, rows: int) -> Tensor:
    """Random signs, −1 or 1 with equal probability; `rows` is the dimension of examples."""
    return noise_like(lambda whole: torch.randint_like(whole, 2), like, rows) * 2 - 1

"""How strongly a network answers to its input."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def squared_jacobian(
    f: Callable[[Tensor], Tensor], x: Tensor, probes: int | None = None, batch_dims: int = 1
) -> Tensor:
    """‖∂f(x)/∂x‖²_F, the sum of all squared derivatives of each example, [*batch].

    f: a differentiable map of examples [*batch, *event] to outputs [*batch, *other].
    probes: None takes one backward pass for each output, which is exact. A number takes that many
        random directions v instead: E ‖vᵀJ‖² = ‖J‖²_F, unbiased.  Source: [hutchinson1989].

    Gradients flow back to the parameters of f where they are enabled, not to x. Under `no_grad`
    the value is the same, without a graph.

    Directions have random signs, independent for each example. Where f treats every example alone
    that changes nothing. Batch normalisation in training mode couples them: a shift of one example
    moves the outputs of all. Then the expected value counts those derivatives as well, squared,
    where a sum over the batch would let them cancel.
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
    """Vectors v, each in the shape of the outputs."""
    if probes is not None:
        for _ in range(probes):
            yield _signs(y)
        return
    flat = torch.zeros_like(y).flatten(batch_dims)
    for output in range(flat.shape[-1]):
        v = flat.clone()
        v[..., output] = _signs(v[..., output])
        yield v.view_as(y)


def _signs(like: Tensor) -> Tensor:
    """−1 or 1 by the toss of a fair coin."""
    return torch.randint_like(like, 2) * 2 - 1

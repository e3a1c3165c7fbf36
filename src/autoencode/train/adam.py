"""Adam, and its formula for a step that is compiled as a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Adam(torch.optim.AdamW):
    """Adam [kingma2015] with decoupled weight decay [loshchilov2019], in one fused operation.

    State and figures are those of `torch.optim.AdamW(fused=True)`, bit for bit; `update` leaves out
    the checks and hooks of its `step`, which take a tenth of a short training step.
    """

    def update(self) -> None:
        """Changes the weights by their gradients, and lets the gradients go."""
        with torch.no_grad():
            for group in self.param_groups:
                changed = [p for p in group["params"] if p.grad is not None]
                if not changed:
                    continue
                states = [self.state_of(p) for p in changed]
                steps = [state["step"] for state in states]
                torch._foreach_add_(steps, 1)
                beta1, beta2 = group["betas"]
                torch._fused_adamw_(
                    changed,
                    [p.grad for p in changed],
                    [state["exp_avg"] for state in states],
                    [state["exp_avg_sq"] for state in states],
                    [],
                    steps,
                    lr=group["lr"],
                    beta1=beta1,
                    beta2=beta2,
                    weight_decay=group["weight_decay"],
                    eps=group["eps"],
                    amsgrad=False,
                    maximize=False,
                )
                for p in changed:
                    p.grad = None

    def state_of(self, p: nn.Parameter) -> dict[str, Tensor]:
        """What is kept of a weight; zeros before its first update."""
        state: dict[str, Tensor] = self.state[p]
        if not state:
            state["step"] = torch.zeros((), device=p.device)
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
        return state


def factors(
    step: int, lr: float, betas: tuple[float, float], weight_decay: float, device: torch.device
) -> Tensor:
    """The numbers of `adam` that change from step to step, [3]; the first step is 1."""
    beta1, beta2 = betas
    size = lr / (1 - beta1**step)
    return torch.tensor([size, 1 / math.sqrt(1 - beta2**step), 1 - lr * weight_decay]).to(device)


def adam(
    p: Tensor,
    grad: Tensor,
    state: Sequence[Tensor],
    factors: Tensor,
    betas: tuple[float, float],
    eps: float,
    keep: Tensor,
) -> None:
    """One update of a parameter and its state in place, as operations that a compiler fuses.

    state: the running means of the gradient and of its square, and the count of updates.
    factors: see there.   keep: [], True leaves weight and means as they are.
    """
    mean, square, count = state
    size, correction, decay = factors.unbind()
    new_mean = mean.lerp(grad, 1 - betas[0])
    new_square = betas[1] * square + (1 - betas[1]) * grad * grad
    new = decay * p - size * new_mean / (new_square.sqrt() * correction + eps)
    count.add_(1)
    p.copy_(torch.where(keep, p, new))
    mean.copy_(torch.where(keep, mean, new_mean))
    square.copy_(torch.where(keep, square, new_square))

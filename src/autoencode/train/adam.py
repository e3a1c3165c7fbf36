"""Adam, and its formula for a step that is compiled as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Adam:
    """Adam [kingma2015] with decoupled weight decay [loshchilov2019], in one fused operation.

    Figures are those of `torch.optim.AdamW(fused=True)`, bit for bit. That class brings a compiler
    with it, a second of time and 70 MB of memory, and its checks and hooks take a tenth of a short
    training step.

    lr: the size of a step, which may be another in each.   state: of each weight that was updated,
    the running means of its gradient and of its square, and the count of updates.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.parameters = list(parameters)
        self.lr, self.betas, self.eps, self.weight_decay = lr, betas, eps, weight_decay
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}

    def update(self) -> None:
        """Changes the weights by their gradients, and lets the gradients go."""
        changed = [p for p in self.parameters if p.grad is not None]
        if not changed:
            return
        states = [self.state_of(p) for p in changed]
        steps = [state["step"] for state in states]
        with torch.no_grad():
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                changed,
                [p.grad for p in changed],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=self.lr,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=self.weight_decay,
                eps=self.eps,
                amsgrad=False,
                maximize=False,
            )
        self.forget()

    def forget(self) -> None:
        """Lets the gradients go."""
        for p in self.parameters:
            p.grad = None

    def state_of(self, p: nn.Parameter) -> dict[str, Tensor]:
        """What is kept of a weight; zeros before its first update."""
        if p not in self.state:
            self.state[p] = {
                "step": torch.zeros((), device=p.device),
                "exp_avg": torch.zeros_like(p, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(p, requires_grad=False),
            }
        return self.state[p]

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors: the position of a weight, a point, and what it is."""
        return {
            f"{place}.{name}": tensor
            for place, p in enumerate(self.parameters)
            for name, tensor in self.state.get(p, {}).items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Takes what `tensors` gave."""
        self.state = {}
        for key, tensor in tensors.items():
            place, name = key.split(".", 1)
            p = self.parameters[int(place)]
            self.state.setdefault(p, {})[name] = tensor.to(p.device)


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

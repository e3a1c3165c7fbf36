"""The formula of AdamW as operations that a compiler fuses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

# The state of a weight, in the order in which the traced step takes it.
STATE = ("exp_avg", "exp_avg_sq", "step")


def step_factors(step: int, lr: float, betas: tuple[float, float], weight_decay: float) -> Tensor:
    """The numbers of AdamW that change from step to step, [3], on the CPU; the first step is 1.

    Learning rate with the bias correction of the first moment, bias correction of the second
    moment, and weight decay.
    """
    beta1, beta2 = betas
    size = lr / (1 - beta1**step)
    return torch.tensor([size, 1 / math.sqrt(1 - beta2**step), 1 - lr * weight_decay])


class TracedAdamW:
    """AdamW on tensors that are inputs of a traced graph; `step` writes its operations down.

    parameters: the weights, which have gradients.   states: for each entry of `STATE` that of each
    weight.   factors: see `step_factors`.   skip: [], True leaves weights and means unchanged; it
    must be set before `step`.
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        states: Sequence[Tensor],
        factors: Tensor,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        self.parameters, self.states, self.factors = parameters, states, factors
        self.betas, self.eps = betas, eps
        self.skip: Tensor

    def step(self) -> None:
        """Updates each weight and its state in place."""
        n, (beta1, beta2) = len(self.parameters), self.betas
        size, correction, decay = self.factors.unbind()
        with torch.no_grad():
            for i, p in enumerate(self.parameters):
                mean, square, count = self.states[i::n]
                assert p.grad is not None
                new_mean = mean.lerp(p.grad, 1 - beta1)
                new_square = beta2 * square + (1 - beta2) * p.grad * p.grad
                new = decay * p - size * new_mean / (new_square.sqrt() * correction + self.eps)
                count.add_(1)
                p.copy_(torch.where(self.skip, p, new))
                mean.copy_(torch.where(self.skip, mean, new_mean))
                square.copy_(torch.where(self.skip, square, new_square))

    def zero_grad(self) -> None:
        """Sets every gradient to None."""
        for p in self.parameters:
            p.grad = None

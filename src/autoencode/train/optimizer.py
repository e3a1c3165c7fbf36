"""AdamW as one fused operation, without what the class of torch brings with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from autoencode.models.weights import misfits, not_finite


class FusedAdamW:
    """Adam [kingma2015] with decoupled weight decay [loshchilov2019], in one fused operation.

    The weights are those of `torch.optim.AdamW(fused=True)`, bit for bit; a test compares them.
    The class of torch is not used because of what it costs here, measured by
    `python benchmarks/speed --only optimizer` (docs/benchmarks.md): its first step imports torch's
    compiler, which takes more than a second and 60 MB in each process, and its checks and hooks
    take a tenth of a short training step.

    lr: the learning rate, which may differ from step to step.
    state: for each weight that was updated, "exp_avg" and "exp_avg_sq", the running means of its
    gradient and of the square of its gradient, and "step", the number of updates.
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
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def step(self) -> None:
        """Updates every weight that has a gradient."""
        updated: list[Tensor] = [p for p in self.parameters if p.grad is not None]
        if not updated:
            return
        states = [self.state_of(p) for p in updated]
        steps = [state["step"] for state in states]
        with torch.no_grad():
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                updated,
                [p.grad for p in updated if p.grad is not None],
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

    def zero_grad(self) -> None:
        """Sets every gradient to None."""
        for p in self.parameters:
            p.grad = None

    def state_of(self, p: Tensor) -> dict[str, Tensor]:
        """The state of a weight; zeros before its first update."""
        if p not in self.state:
            self.state[p] = {
                "step": torch.zeros((), device=p.device),
                "exp_avg": torch.zeros_like(p, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(p, requires_grad=False),
            }
        return self.state[p]

    def tensors(self) -> dict[str, Tensor]:
        """The state as named tensors: "<position of the weight>.<name of its state>"."""
        return {
            f"{position}.{name}": tensor
            for position, p in enumerate(self.parameters)
            for name, tensor in self.state.get(p, {}).items()
        }

    def mistakes(self, tensors: Mapping[str, Tensor]) -> list[str]:
        """A phrase for each tensor that `restore` cannot take, or that is not finite."""
        wanted: dict[str, Tensor] = {}
        for position in {key.partition(".")[0] for key in tensors}:
            if position.isascii() and position.isdecimal() and int(position) < len(self.parameters):
                p = self.parameters[int(position)].detach()
                wanted[f"{position}.step"] = torch.zeros(())
                wanted |= {f"{position}.{name}": p for name in ("exp_avg", "exp_avg_sq")}
        return (
            misfits(wanted, tensors)
            or not_finite(wanted, tensors)
            or [
                f"{key} is negative"
                for key, tensor in tensors.items()
                if not key.endswith(".exp_avg") and bool((tensor < 0).any())
            ]
        )

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Sets the state to what `tensors` returned."""
        self.state = {}
        for key, tensor in tensors.items():
            position, name = key.split(".", 1)
            p = self.parameters[int(position)]
            self.state.setdefault(p, {})[name] = tensor.to(p.device)

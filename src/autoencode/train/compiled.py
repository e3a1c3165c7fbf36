"""The whole update of the weights as one compiled program.

A step of a small model is some dozens of operations on small tensors, and starting them, and
carrying each one's result through memory, takes as long as its matrix products. Here the step is
traced as it runs, forwards, backwards and optimiser, and handed to torch's compiler, which fuses
all that lies between the products.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from autoencode.maths import tracing
from autoencode.models.objective import Objective
from autoencode.train.adam import Adam, adam, factors
from autoencode.train.batches import Batches
from autoencode.train.meter import Stepped
from autoencode.train.precision import computing
from autoencode.train.track import squared_error

# What is saved in a step for each small operation that is fused away, and what compiling costs:
# seconds, of two cores. Constants, so that the same training is compiled always or never.
SAVED = 8e-6
COST, COST_OF_ONE = 10.0, 0.04
# Their time is the arithmetic's own, whoever starts them.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Beside them all else is little: nothing was gained where they are.
LARGEST = {"convolution", "convolution_backward"}


def _mm(a: Tensor, b: Tensor) -> Any:
    """A product of which one side is a few numbers long, as sums that fuse with what is around."""
    if min(*a.shape, b.shape[1]) > FEW or a.dtype != torch.float32:
        return NotImplemented
    if a.shape[1] <= FEW:
        return (a.unsqueeze(2) * b.unsqueeze(0)).sum(1)
    return (a.unsqueeze(1) * b.t().unsqueeze(0)).sum(2)


def _addmm(c: Tensor, a: Tensor, b: Tensor, **scales: Any) -> Any:
    found = NotImplemented if scales else _mm(a, b)
    return found if found is NotImplemented else c + found


# A library's product of so few numbers takes longer than reading them.
FEW = 4
THIN: dict[Any, Callable[..., Any]] = {
    torch.ops.aten.mm.default: _mm,
    torch.ops.aten.addmm.default: _addmm,
}


class Step:
    """One update of an objective's weights; the weights and the optimiser's state stay theirs."""

    def __init__(
        self, objective: Objective, optimizer: Adam, batches: Batches, precision: torch.dtype
    ) -> None:
        """Traces the step; nothing is changed and no random number is drawn.

        The optimiser has made at least one update, and holds one group.

        Raises:
            Whatever tracing raises, where the step asks for values of tensors.
        """
        # Not needed by most trainings, and slow to load.
        from torch.fx.experimental.proxy_tensor import make_fx

        self.objective, self.batches = objective, batches
        (self.group,) = optimizer.param_groups
        names = {id(p): name for name, p in objective.named_parameters()}
        weights = [p for p in self.group["params"] if p in optimizer.state]
        self.names = [names[id(p)] for p in weights]
        self.weights = [p.detach() for p in weights]
        self.buffers = dict(objective.named_buffers())
        held = [optimizer.state[p] for p in weights]
        self.states = [(s["exp_avg"], s["exp_avg_sq"], s["step"]) for s in held]
        (self.count,) = {int(state["step"]) for state in held}
        self.device, self.precision = batches.x.device, precision
        raw, known = batches[0]
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), tracing():
            # The tracer counts the arguments of functions, not of methods.
            trace = make_fx(lambda w, b, s, f, x, c: self._whole(w, b, s, f, x, c), THIN)
            self.graph = trace(
                [w.clone().requires_grad_() for w in self.weights],
                {name: b.clone() for name, b in self.buffers.items()},
                [tuple(s.clone() for s in state) for state in self.states],
                self._factors(),
                raw,
                known,
            )
        self.program: Callable[..., Any] = self.graph

    def compile(self) -> None:
        """Compiles what was traced: some ten seconds, a few where it was compiled before.

        Raises:
            Whatever the compiler raises, for one that there is no C++ compiler for it to use.
        """
        raw, known = self.batches[0]
        given: Any = (self.weights, self.buffers, self.states, self._factors(), raw, known)
        with torch.no_grad(), warnings.catch_warnings():
            # Of torch's own parts about each other.
            warnings.simplefilter("ignore")
            from torch._inductor import compile as inductor

            self.program = inductor(self.graph, given)

    def __call__(self, raw: Tensor, known: Tensor | None, lr: float) -> Stepped:
        """One update by a batch as `Batches` gives it; where the loss is not finite, none."""
        self.count += 1
        self.group["lr"] = lr
        with torch.no_grad():
            loss, terms, error = self.program(
                self.weights, self.buffers, self.states, self._factors(), raw, known
            )
        return Stepped(loss, terms, lambda: error)

    def saves(self) -> float:
        """Seconds that each step is expected to become shorter by, on a processor."""
        names = self._operations()
        return 0.0 if LARGEST & set(names) else SAVED * sum(name not in LARGE for name in names)

    def costs(self) -> float:
        """Seconds that compiling is expected to take where it was never done."""
        return COST + COST_OF_ONE * len(self._operations())

    def _operations(self) -> list[str]:
        called = [node.target for node in self.graph.graph.nodes if node.op == "call_function"]
        return [getattr(target, "overloadpacket", target).__name__ for target in called]

    def _factors(self) -> Tensor:
        group = self.group
        return factors(
            max(1, self.count), group["lr"], group["betas"], group["weight_decay"], self.device
        )

    def _whole(
        self,
        weights: list[Tensor],
        buffers: dict[str, Tensor],
        states: list[tuple[Tensor, Tensor, Tensor]],
        factors: Tensor,
        raw: Tensor,
        known: Tensor | None,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        x = self.batches.look(raw)
        held = {**dict(zip(self.names, weights, strict=True)), **buffers}
        with computing(self.precision, self.device):
            judged = functional_call(self.objective, held, (x, known))
        grads = torch.autograd.grad(judged.loss, weights)
        with torch.no_grad():
            keep = ~judged.loss.isfinite()
            for p, grad, state in zip(weights, grads, states, strict=True):
                adam(p, grad, state, factors, self.group["betas"], self.group["eps"], keep)
            error = squared_error(judged.trip.px.mean, judged.trip.x)
        terms = {name: term.detach() for name, term in judged.terms.items()}
        return judged.loss.detach(), terms, error

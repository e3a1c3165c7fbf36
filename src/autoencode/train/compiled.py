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

from autoencode.maths import exact_products, tracing
from autoencode.models.objective import Objective
from autoencode.train.adam import Adam, adam, factors
from autoencode.train.batches import Batches
from autoencode.train.meter import Stepped
from autoencode.train.precision import computing
from autoencode.train.products import AS_PRODUCTS
from autoencode.train.track import squared_error

# What is saved in a step for each small operation that is fused away, and what compiling costs:
# seconds, of two cores. Constants, so that the same training is compiled always or never.
SAVED = 8e-6
COST, COST_OF_ONE = 10.0, 0.04
# Their time is the arithmetic's own, whoever starts them.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Beside them all else is little: nothing was gained where they are.
LARGEST = {"convolution", "convolution_backward"}


STATE = ("exp_avg", "exp_avg_sq", "step")
CAST, COPY = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default


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
        held = [optimizer.state[p] for p in weights]
        (self.count,) = {int(state["step"]) for state in held}
        self.buffers = [name for name, _ in objective.named_buffers()]
        # One flat list: what is nested is taken apart anew at each call.
        self.held: list[Tensor] = [
            *(p.detach() for p in weights),
            *(state[what] for what in STATE for state in held),
            *objective.buffers(),
        ]
        self.device, self.precision = batches.device, precision
        copies = [t.clone() for t in self.held]
        for copy in copies[: len(weights)]:
            copy.requires_grad_()
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda), tracing():
            self.terms: list[str] = []
            self.graph = make_fx(self._whole, AS_PRODUCTS)(*copies, *self._moving(*batches[0]))
        self.copies: list[Tensor] = []
        self._keep_copies()
        self.program: Callable[..., Any] = self.graph

    def compile(self) -> None:
        """Compiles what was traced: some ten seconds, a few where it was compiled before.

        Raises:
            Whatever the compiler raises, for one that there is no C++ compiler for it to use.
        """
        given: Any = (*self.held, *self._moving(*self.batches[0]), *self.copies)
        with torch.no_grad(), warnings.catch_warnings():
            # Of torch's own parts about each other.
            warnings.simplefilter("ignore")
            from torch._inductor import compile as inductor

            self.program = inductor(self.graph, given)

    def __call__(self, raw: Tensor, known: Tensor | None, lr: float) -> Stepped:
        """One update by a batch as `Batches` gives it; where the loss is not finite, none."""
        self.count += 1
        self.group["lr"] = lr
        with torch.no_grad(), exact_products():
            loss, error, *terms = self.program(*self.held, *self._moving(raw, known), *self.copies)
        return Stepped(loss, dict(zip(self.terms, terms, strict=True)), lambda: error)

    def _keep_copies(self) -> None:
        """Keeps the weights that are read in bfloat16 in that type, too, from step to step.

        They are written as they are changed, while the numbers are at hand, and not read once more.
        """
        graph = self.graph.graph
        inputs = graph.find_nodes(op="placeholder")
        last = inputs[-1]
        for given, weight in zip(inputs, self.held[: len(self.names)], strict=False):
            casts = [each for each in given.users if _is_cast(each)]
            if not casts:
                continue
            with graph.inserting_after(last):
                last = graph.placeholder(f"copy_{len(self.copies)}")
            (written,) = (each for each in given.users if each.target is COPY)
            with graph.inserting_after(written):
                graph.call_function(COPY, (last, written.args[1]))
            for cast in casts:
                cast.replace_all_uses_with(last)
                graph.erase_node(cast)
            self.copies.append(weight.bfloat16())
        self.graph.recompile()

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

    def _moving(self, raw: Tensor, known: Tensor | None) -> list[Tensor]:
        """What is another in each step."""
        group, count = self.group, max(1, self.count)
        now = factors(count, group["lr"], group["betas"], group["weight_decay"], self.device)
        return [now, raw] if known is None else [now, raw, known]

    def _whole(self, *given: Tensor) -> tuple[Tensor, ...]:
        """The step, of `held` and what `_moving` gives."""
        n, k = len(self.names), len(self.names) + len(STATE) * len(self.names)
        weights, states, buffers = given[:n], given[n:k], given[k : len(self.held)]
        now, raw, *told = given[len(self.held) :]
        held = dict(zip([*self.names, *self.buffers], [*weights, *buffers], strict=True))
        x, known = self.batches.look(raw), told[0] if told else None
        with computing(self.precision, self.device):
            judged = functional_call(self.objective, held, (x, known))
        grads = torch.autograd.grad(judged.loss, weights)
        with torch.no_grad():
            keep = ~judged.loss.isfinite()
            for i, (p, grad) in enumerate(zip(weights, grads, strict=True)):
                adam(p, grad, states[i::n], now, self.group["betas"], self.group["eps"], keep)
            error = squared_error(judged.trip.px.mean, judged.trip.x)
        self.terms = list(judged.terms)
        return judged.loss.detach(), error, *(term.detach() for term in judged.terms.values())


def _is_cast(node: Any) -> bool:
    return node.target is CAST and node.kwargs.get("dtype") == torch.bfloat16

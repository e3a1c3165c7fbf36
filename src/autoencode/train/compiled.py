"""The whole update of the weights as one compiled program.

A step of a small model is some dozens of operations on small tensors, and starting them, and
carrying each one's result through memory, takes as long as its matrix products. Here the step is
traced as it runs, forwards, backwards and optimiser, and handed to torch's compiler, which fuses
all that lies between the products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencode.maths import exact_products
from autoencode.models.objective import Objective
from autoencode.train.adam import Adam
from autoencode.train.batches import Batches
from autoencode.train.held import Held
from autoencode.train.meter import Stepped
from autoencode.train.products import AS_PRODUCTS
from autoencode.train.traced import Traced, compiled, moving

# What is saved in a step for each small operation that is fused away, and what compiling costs:
# seconds, of two cores. Constants, so that the same training is compiled always or never.
SAVED = 8e-6
COST, COST_OF_ONE = 10.0, 0.04
# Their time is the arithmetic's own, whoever starts them.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Beside them all else is little: nothing was gained where they are.
LARGEST = {"convolution", "convolution_backward"}

CAST, COPY = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default


class Step:
    """One update of an objective's weights; the weights and the optimiser's state stay theirs."""

    def __init__(
        self, objective: Objective, optimizer: Adam, batches: Batches, precision: torch.dtype
    ) -> None:
        """Traces the step; nothing is changed and no random number is drawn.

        The optimiser has made at least one update.

        Raises:
            Whatever tracing raises, where the step asks for values of tensors.
        """
        self.held, self.batches = Held(objective, optimizer), batches
        self.traced = Traced(objective, self.held, batches, precision, AS_PRODUCTS)
        self.graph, self.count = self.traced.graph, self.held.count
        self.copies: list[Tensor] = []
        self._keep_copies()
        self.program: Callable[..., Any] = self.graph

    def compile(self) -> None:
        """Compiles what was traced; raises as `compiled` does."""
        self.program = compiled(self.graph, self._given(*self.batches[0]))

    def __call__(self, raw: Tensor, known: Tensor | None, lr: float) -> Stepped:
        """One update by a batch as `Batches` gives it; where the loss is not finite, none."""
        self.count += 1
        self.held.optimizer.lr = lr
        with torch.no_grad(), exact_products():
            loss, error, *terms = self.program(*self._given(raw, known))
        return Stepped(loss, dict(zip(self.traced.terms, terms, strict=True)), lambda: error)

    def _given(self, raw: Tensor, known: Tensor | None) -> list[Tensor]:
        now = self.traced.numbers(max(1, self.count), self.held.optimizer.lr)
        return [*self.held.tensors, *moving(now, raw, known), *self.copies]

    def _keep_copies(self) -> None:
        """Keeps the weights that are read in bfloat16 in that type, too, from step to step.

        They are written as they are changed, while the numbers are at hand, and not read once more.
        """
        graph = self.graph.graph
        inputs = graph.find_nodes(op="placeholder")
        last = inputs[-1]
        for given, weight in zip(inputs, self.held.tensors[: len(self.held.names)], strict=False):
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


def _is_cast(node: Any) -> bool:
    return node.target is CAST and node.kwargs.get("dtype") == torch.bfloat16

"""The whole update of the weights as one compiled program.

A step of a small model is some dozens of operations on small tensors, and starting them, and
carrying each one's result through memory, takes as long as its matrix products. Here the step is
traced as it runs, forwards, backwards and optimiser, and handed to torch's compiler, which fuses
all that lies between the products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autoencode.models.objective import Objective
from autoencode.train.adam import Adam
from autoencode.train.batches import Batches
from autoencode.train.compile.buffers import Held
from autoencode.train.compile.products import AS_PRODUCTS
from autoencode.train.compile.traced import Traced, compiled, moving
from autoencode.train.meter import Stepped

# What is saved in a step for each small operation that is fused away, and what compiling costs:
# seconds, of two cores. Constants, so that the same training is compiled always or never.
SAVED = 8e-6
COST, COST_OF_ONE = 10.0, 0.04
# Steps whose numbers are made at once.
PREPARED = 64
# Their time is the arithmetic's own, whoever starts them.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Beside them all else is little: nothing was gained where they are.
LARGEST = {"convolution", "convolution_backward"}

CAST, COPY = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
SELECT = torch.ops.aten.index_select.default


class Step:
    """One update of an objective's weights; the weights and the optimiser's state stay theirs."""

    def __init__(
        self,
        objective: Objective,
        optimizer: Adam,
        batches: Batches,
        precision: torch.dtype,
        rate: Callable[[int], float],
    ) -> None:
        """Traces the step; nothing is changed and no random number is drawn.

        The optimiser has made at least one update.   rate: the size of a step, by its number.

        Raises:
            Whatever tracing raises, where the step asks for values of tensors.
        """
        self.held, self.batches, self.rate = Held(objective, optimizer), batches, rate
        self.traced = Traced(objective, self.held, batches, precision, AS_PRODUCTS)
        self.graph, self.count = self.traced.graph, self.held.count
        self.copies: list[Tensor] = []
        # Between two operations on large tensors Python finds nothing of its own in the caches:
        # what can be made for many steps at once takes a tenth of the time.
        self.prepared: dict[int, tuple[float, list[Tensor]]] = {}
        self._take_rows()
        self._keep_copies()
        self.program: Callable[..., Any] = self.graph

    def compile(self) -> None:
        """Compiles what was traced; raises as `compiled` does."""
        _, changing = self._prepare(0, 1)
        self.program = compiled(self.graph, self._given(0, changing))

    def __call__(self, step: int) -> Stepped:
        """One update by the batch of a step; where the loss is not finite, none."""
        self.count += 1
        if step not in self.prepared:
            made = range(step, step + PREPARED)
            self.prepared = {s: self._prepare(s, self.count + s - step) for s in made}
        self.held.optimizer.lr, changing = self.prepared[step]
        loss, error, *terms = self.program(*self._given(step, changing))
        return Stepped(loss, dict(zip(self.traced.terms, terms, strict=True)), lambda: error)

    def _prepare(self, step: int, count: int) -> tuple[float, list[Tensor]]:
        """The size of a step, and what the program takes that is another in each step."""
        lr = self.rate(step)
        now = self.traced.numbers(count, lr)
        in_memory = self.batches.ahead is None
        return lr, [now, self.batches.chosen(step)] if in_memory else [now]

    def _given(self, step: int, changing: Sequence[Tensor]) -> list[Tensor]:
        now, *chosen = changing
        batches = self.batches
        examples = (batches.x, batches.known) if chosen else batches[step]
        return [*self.held.tensors, *moving(now, *examples), *chosen, *self.copies]

    def _take_rows(self) -> None:
        """Lets the step take its batch out of all examples, where these are in memory.

        A row is then read where it is used, and not written down before.
        """
        if self.batches.ahead is not None:
            return
        graph = self.graph.graph
        given = graph.find_nodes(op="placeholder")
        with graph.inserting_after(given[-1]):
            last = chosen = graph.placeholder("chosen")
        for examples in given[len(self.held.tensors) + 1 :]:
            users = list(examples.users)
            with graph.inserting_after(last):
                last = graph.call_function(SELECT, (examples, 0, chosen))
            for user in users:
                user.replace_input_with(examples, last)
        self.graph.recompile()

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

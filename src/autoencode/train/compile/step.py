"""The training step as one compiled program.

A step of a small model consists of some dozens of operations on small tensors. Starting them, and
writing each one's result to memory, takes as long as the matrix products. Here `train_step` is
traced, forwards, backwards and optimiser, and compiled by torch's inductor, which fuses all
operations between the products.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autoencode.train.batches import Batches
from autoencode.train.compile.graph import StepGraph, compiled, step_inputs
from autoencode.train.compile.products import AS_PRODUCTS
from autoencode.train.state import TrainState
from autoencode.train.step import StepOutput

# Seconds that a step is shorter for each small operation that is fused, and seconds to compile, on
# two cores. Constants, so that the same training is compiled always or never.
SECONDS_SAVED_PER_OPERATION = 8e-6
SECONDS_TO_COMPILE, SECONDS_PER_OPERATION = 10.0, 0.04
# Steps whose inputs are made at once.
STEPS_PREPARED = 64
# Operations whose time is arithmetic: they are not faster when compiled.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Where these are left, all other operations take little time, and nothing is saved.
LARGEST = {"convolution", "convolution_backward"}

CAST, COPY = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
SELECT = torch.ops.aten.index_select.default


class CompiledStep:
    """`train_step` of one training, compiled; it changes the same state.

    copies: the weights that the step reads in bfloat16, in that type.
    """

    def __init__(self, state: TrainState, batches: Batches) -> None:
        """Traces the step, see `StepGraph`."""
        self.state, self.batches = state, batches
        self.traced = StepGraph(state, batches, AS_PRODUCTS)
        self.graph, self.updates = self.traced.graph, self.traced.updates
        self.copies: list[Tensor] = []
        # Python code between two operations on large tensors finds the caches full of them: what
        # is made for many steps at once takes a tenth of the time.
        self.prepared: dict[int, tuple[float, list[Tensor]]] = {}
        self._select_rows_inside()
        self._keep_bfloat16_copies()
        self.program: Callable[..., Any] = self.graph

    def compile(self) -> None:
        """Compiles what was traced; raises as `compiled` does."""
        _, changing = self._prepare(0, 1)
        self.program = compiled(self.graph, self._inputs(0, changing))

    def __call__(self, state: TrainState) -> StepOutput:
        """One update by the batch of the state's step.

        Raises:
            Diverged: the loss is not finite; the weights are as they were.
        """
        self.updates += 1
        if state.step not in self.prepared:
            steps = range(state.step, state.step + STEPS_PREPARED)
            self.prepared = {s: self._prepare(s, self.updates + s - state.step) for s in steps}
        state.optimizer.lr, changing = self.prepared[state.step]
        loss, error, *values = self.program(*self._inputs(state.step, changing))
        terms = dict(zip(self.traced.terms, values, strict=True))
        state.check_finite(loss, terms)
        return StepOutput(loss, terms, lambda: error)

    def _prepare(self, step: int, update: int) -> tuple[float, list[Tensor]]:
        """The learning rate of a step, and the inputs of the program that differ in each step."""
        lr = self.state.learning_rate(step)
        factors = self.traced.factors(update, lr)
        in_memory = self.batches.prefetcher is None
        return lr, [factors, self.batches.rows(step)] if in_memory else [factors]

    def _inputs(self, step: int, changing: list[Tensor]) -> list[Tensor]:
        factors, *rows = changing
        batches = self.batches
        if rows:
            examples = batches.x, batches.context
        else:
            batch = batches[step]
            examples = batch.raw, batch.context
        return [*self.traced.tensors, *step_inputs(factors, *examples), *rows, *self.copies]

    def _select_rows_inside(self) -> None:
        """Selects the batch inside the program, where all examples are in memory.

        A row is then read where it is used, and not copied before.
        """
        if self.batches.prefetcher is not None:
            return
        graph = self.graph.graph
        inputs = graph.find_nodes(op="placeholder")
        with graph.inserting_after(inputs[-1]):
            last = rows = graph.placeholder("rows")
        for examples in inputs[len(self.traced.tensors) + 1 :]:
            users = list(examples.users)
            with graph.inserting_after(last):
                last = graph.call_function(SELECT, (examples, 0, rows))
            for user in users:
                user.replace_input_with(examples, last)
        self.graph.recompile()

    def _keep_bfloat16_copies(self) -> None:
        """Keeps the weights that are read in bfloat16 in that type, too, from step to step.

        The copy is written when the weight is updated, so that the weight is not read once more.
        """
        graph = self.graph.graph
        inputs = graph.find_nodes(op="placeholder")
        last = inputs[-1]
        weights = self.traced.tensors[: len(self.traced.weights)]
        for node, weight in zip(inputs, weights, strict=False):
            casts = [each for each in node.users if _is_cast(each)]
            if not casts:
                continue
            with graph.inserting_after(last):
                last = graph.placeholder(f"copy_{len(self.copies)}")
            (written,) = (each for each in node.users if each.target is COPY)
            with graph.inserting_after(written):
                graph.call_function(COPY, (last, written.args[1]))
            for cast in casts:
                cast.replace_all_uses_with(last)
                graph.erase_node(cast)
            self.copies.append(weight.bfloat16())
        self.graph.recompile()

    def seconds_saved(self) -> float:
        """Seconds that each step is expected to become shorter by, on a processor."""
        names = self._operations()
        if LARGEST & set(names):
            return 0.0
        return SECONDS_SAVED_PER_OPERATION * sum(name not in LARGE for name in names)

    def seconds_to_compile(self) -> float:
        """Seconds that compiling is expected to take for the first time."""
        return SECONDS_TO_COMPILE + SECONDS_PER_OPERATION * len(self._operations())

    def _operations(self) -> list[str]:
        called = [node.target for node in self.graph.graph.nodes if node.op == "call_function"]
        return [getattr(target, "overloadpacket", target).__name__ for target in called]


def _is_cast(node: Any) -> bool:
    return node.target is CAST and node.kwargs.get("dtype") == torch.bfloat16

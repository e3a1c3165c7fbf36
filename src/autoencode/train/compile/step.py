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
from torch import Tensor, nn

from autoencode.train.batches import Batches
from autoencode.train.compile.channels_last import CHANNELS_LAST
from autoencode.train.compile.graph import StepGraph, compiled, step_inputs
from autoencode.train.compile.products import AS_PRODUCTS
from autoencode.train.compile.recording import Recording
from autoencode.train.precision import keep_random_state
from autoencode.train.state import TrainState
from autoencode.train.step import StepOutput

# Seconds that a step is shorter for each small operation that is fused, and seconds to compile, on
# two cores; on a GPU an operation takes a processor at least as long to start. Constants, so that
# the same training is compiled always or never.
SECONDS_SAVED_PER_OPERATION = 8e-6
SECONDS_TO_COMPILE, SECONDS_PER_OPERATION = 10.0, 0.04
# Batches of images with at most so many numbers are convolved as products of matrices.
MAX_NUMBERS = 400_000
# Seconds more for each number of a batch of images whose maps get their channels last: as measured
# with 64×64 images; it is more with smaller ones and with residual networks.
SECONDS_SAVED_PER_NUMBER = 8e-9
# Steps whose inputs are made at once.
STEPS_PREPARED = 64
# Steps that start together on a GPU.
STEPS_RECORDED = 4
# Operations whose time is arithmetic: they are not faster when compiled.
LARGE = {"mm", "addmm", "bmm", "baddbmm"}
# Where these are left on a processor, and maps do not have their channels last, all others take
# little time, and nothing is saved.
LARGEST = {
    "convolution",
    "convolution_backward",
    "_scaled_dot_product_flash_attention_for_cpu",
}

CAST, COPY = torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default
SELECT, SQUEEZE = torch.ops.aten.index_select.default, torch.ops.aten.squeeze.dim
ADD = torch.ops.aten.add_.Scalar
# Devices whose operations are recorded, see `Recording`.
RECORDED = {"cuda"}


class CompiledStep:
    """`train_step` of one training, compiled; it changes the same state.

    channels_last: whether maps are computed with their channels last in memory.
    copies: the weights that the step reads in bfloat16, in that type.
    tables: on a GPU, what differs in each step, for the next steps, see `_read_from_tables`.
    recordings: on a GPU, the operations of one step and of several.
    due: the step before which nothing reads the weights. Until then they may be ahead of the step
        of the state: they are while `is_ahead`.
    """

    def __init__(self, state: TrainState, batches: Batches) -> None:
        """Traces the step, see `StepGraph`."""
        self.state, self.batches = state, batches
        self.channels_last = _better_channels_last(state, batches)
        rewritten = CHANNELS_LAST if self.channels_last else AS_PRODUCTS
        self.traced = StepGraph(state, batches, rewritten)
        self.graph, self.updates = self.traced.graph, self.traced.updates
        self.copies: list[Tensor] = []
        # Python code between two operations on large tensors finds the caches full of them: what
        # is made for many steps at once takes a tenth of the time.
        self.prepared: dict[int, tuple[float, list[Tensor]]] = {}
        self._select_rows_inside()
        self._keep_bfloat16_copies()
        self.tables: list[Tensor] = []
        self.position = torch.zeros(1, dtype=torch.long, device=state.device)
        if state.device.type in RECORDED and batches.prefetcher is None:
            self._read_from_tables()
        self.program: Callable[..., Any] = self.graph
        self.recordings: list[Recording] = []
        self.due = 0
        # The results of steps that are made and were not called for yet, the last one first.
        self.results: list[Tensor] = []

    def compile(self) -> None:
        """Compiles what was traced; raises as `compiled` and `Recording` do."""
        inputs = self._inputs(0, self.tables or self._prepare(0, 1)[1])
        program = self.program = compiled(self.graph, inputs)
        if self.tables:
            # The first call loads the parts of the program, which cannot be recorded.
            kept = self.batches.x, self.batches.context
            with keep_random_state(self.state.device):
                program(*(x if any(x is each for each in kept) else x.clone() for x in inputs))
            counts = STEPS_RECORDED, 1
            self.recordings = [Recording(lambda: program(*inputs), count) for count in counts]

    @property
    def is_ahead(self) -> bool:
        """Whether steps are made that were not called for yet."""
        return bool(self.results)

    def __call__(self, state: TrainState) -> StepOutput:
        """One update by the batch of the state's step.

        Raises:
            Diverged: the loss is not finite; the weights are as they were.
        """
        self.updates += 1
        if self.recordings:
            if not self.results:
                steps = self.due - state.step
                recording = next(each for each in self.recordings if each.calls <= max(steps, 1))
                self._prepare_from(state.step, recording.calls)
                self.results = recording()[::-1]
            state.optimizer.lr, _ = self.prepared[state.step]
            loss, error, *values = self.results.pop().unbind()
        else:
            self._prepare_from(state.step, 1)
            state.optimizer.lr, changing = self.prepared[state.step]
            inputs = self._inputs(state.step, self.tables or changing)
            loss, error, *values = self.program(*inputs)
        terms = dict(zip(self.traced.terms, values, strict=True))
        state.check_finite(loss, terms)
        return StepOutput(loss, terms, lambda: error)

    def _prepare_from(self, step: int, steps: int) -> None:
        """Prepares this step and at least so many in all."""
        if step in self.prepared and step + steps - 1 in self.prepared:
            return
        update = self.updates
        following = range(step, step + STEPS_PREPARED)
        self.prepared = {s: self._prepare(s, update + s - step) for s in following}
        if self.tables:
            self._fill_tables()

    def _prepare(self, step: int, update: int) -> tuple[float, list[Tensor]]:
        """The learning rate of a step, and the inputs of the program that differ in each step."""
        lr = self.state.learning_rate(step)
        factors = self.traced.factors(update, lr)
        if not self.tables:
            factors = factors.to(self.state.device)
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
        inputs = [*self.traced.tensors, *step_inputs(factors, *examples), *rows, *self.copies]
        return [*inputs, self.position] if self.tables else inputs

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

    def _read_from_tables(self) -> None:
        """Reads what differs in each step from tables of the next steps.

        The program then has the same inputs in each step, and moves on to the next rows itself.
        """
        _, changing = self._prepare(0, 1)
        self.tables = [each.expand(STEPS_PREPARED, -1).clone() for each in changing]
        graph = self.graph.graph
        inputs = graph.find_nodes(op="placeholder")
        tables = inputs[len(self.traced.tensors)], inputs[-1 - len(self.copies)]
        with graph.inserting_after(inputs[-1]):
            last = position = graph.placeholder("position")
        for table in tables:
            users = list(table.users)
            with graph.inserting_after(last):
                row = graph.call_function(SELECT, (table, 0, position))
            with graph.inserting_after(row):
                last = graph.call_function(SQUEEZE, (row, 0))
            for user in users:
                user.replace_input_with(table, last)
        with graph.inserting_before(graph.output_node()):
            graph.call_function(ADD, (position, 1))
        self.graph.recompile()

    def _fill_tables(self) -> None:
        """Writes what was prepared for the next steps into the tables."""
        steps = [changing for _, changing in self.prepared.values()]
        for position, table in enumerate(self.tables):
            table.copy_(torch.stack([changing[position] for changing in steps]))
        self.position.zero_()

    def seconds_saved(self) -> float:
        """Seconds that each step is expected to become shorter by."""
        names = self._operations()
        on_cpu = self.state.device.type == "cpu"
        if LARGEST & set(names) and on_cpu and not self.channels_last:
            return 0.0
        saved = SECONDS_SAVED_PER_OPERATION * sum(name not in LARGE for name in names)
        if self.channels_last:
            saved += SECONDS_SAVED_PER_NUMBER * self.batches[0].raw.numel()
        return saved

    def seconds_to_compile(self) -> float:
        """Seconds that compiling is expected to take for the first time."""
        return SECONDS_TO_COMPILE + SECONDS_PER_OPERATION * len(self._operations())

    def _operations(self) -> list[str]:
        called = [node.target for node in self.graph.graph.nodes if node.op == "call_function"]
        return [getattr(target, "overloadpacket", target).__name__ for target in called]


def _better_channels_last(state: TrainState, batches: Batches) -> bool:
    """Whether convolutions are faster with channels last than as products of their patches.

    Measured on processors: with a bottleneck of 2, 28×28 grey images in batches of 200 take 1.3
    times as long, 32×32 colour images with 8 and 16 channels 0.75 and 0.6 times, 64×64 half.
    """
    if state.device.type != "cpu":
        return False
    convolutions = [m for m in state.objective.modules() if isinstance(m, nn.Conv2d)]
    if not convolutions:
        return False
    # Those without strides are not written as products.
    dense = any(min(m.stride) == 1 and max(m.kernel_size) > 1 for m in convolutions)
    return dense or batches[0].raw.numel() > MAX_NUMBERS


def _is_cast(node: Any) -> bool:
    return node.target is CAST and node.kwargs.get("dtype") == torch.bfloat16

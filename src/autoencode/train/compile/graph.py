"""The training step as a graph of operations, forwards, backwards and optimiser."""

from __future__ import annotations

import logging
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.func import functional_call
from torch.fx import GraphModule

from autoencode.maths import tracing
from autoencode.models.objective import LossOutput, Objective
from autoencode.train.batches import Batch, Batches
from autoencode.train.compile.adamw import STATE, TracedAdamW, step_factors
from autoencode.train.optimizer import FusedAdamW
from autoencode.train.precision import keep_random_state
from autoencode.train.state import TrainState
from autoencode.train.step import train_step

# The programs that this process compiled last, see `_identity`: a training that differs from an
# earlier one in its seed alone need not be compiled again.
KEPT_PROGRAMS = 8
_PROGRAMS: OrderedDict[tuple[Any, ...], Callable[..., Any]] = OrderedDict()


class StepGraph:
    """`train_step`, traced: the operations of one update.

    graph: takes `tensors`, which it changes in place, then `step_inputs`, and returns the loss,
        the squared error and each of `terms`, []. It changes no weight where the loss is not
        finite.
    tensors: the weights that have a gradient, for each entry of `STATE` that of each weight, and
        the buffers of the objective.
    weights: the names of these weights.
    """

    def __init__(
        self,
        state: TrainState,
        batches: Batches,
        rewritten: Mapping[Any, Callable[..., Any]],
    ) -> None:
        """Traces the step; nothing is changed and no random number is drawn.

        The optimiser has made at least one update.
        rewritten: operations, and the functions that are traced instead of them.

        Raises:
            Exception: of any kind, where the step asks for the values of tensors.
        """
        # Only trainings that are compiled pay for this import.
        from torch.fx.experimental.proxy_tensor import make_fx

        self.state, self.batches, self.terms = state, batches, list[str]()
        objective, optimizer = state.objective, state.optimizer
        names = {id(p): name for name, p in objective.named_parameters()}
        updated = [p for p in optimizer.parameters if p in optimizer.state]
        self.weights = [names[id(p)] for p in updated]
        self.buffers = [name for name, _ in objective.named_buffers()]
        # One flat list: a nested one would be flattened anew at each call.
        self.tensors: list[Tensor] = [
            *(p.detach() for p in updated),
            *(optimizer.state[p][each] for each in STATE for p in updated),
            *objective.buffers(),
        ]
        copies = [t.clone() for t in self.tensors]
        for copy in copies[: len(updated)]:
            copy.requires_grad_()
        batch = batches[0]
        factors = self.factors(1, optimizer.lr).to(state.device)
        inputs = step_inputs(factors, batch.raw, batch.context)
        with keep_random_state(state.device), tracing():
            self.graph: GraphModule = make_fx(self._step, dict(rewritten))(*copies, *inputs)

    @property
    def updates(self) -> int:
        """Updates that were made, the same number for each weight."""
        state = self.state.optimizer.state
        (count,) = {int(each["step"]) for each in state.values()}
        return count

    def factors(self, update: int, lr: float) -> Tensor:
        """The numbers of AdamW for one update, [3], on the CPU; the first update is 1."""
        optimizer: FusedAdamW = self.state.optimizer
        return step_factors(update, lr, optimizer.betas, optimizer.weight_decay)

    def _step(self, *given: Tensor) -> tuple[Tensor, ...]:
        """`train_step` on tensors that are inputs of the graph."""
        n = len(self.weights)
        k = n + len(STATE) * n
        weights, states, buffers = given[:n], given[n:k], given[k : len(self.tensors)]
        factors, raw, *context = given[len(self.tensors) :]
        optimizer = self.state.optimizer
        traced = TracedAdamW(weights, states, factors, optimizer.betas, optimizer.eps)
        module = self.state.objective
        named = dict(zip([*self.weights, *self.buffers], [*weights, *buffers], strict=True))

        def objective(x: Tensor, context: Tensor | None) -> LossOutput:
            output: LossOutput = functional_call(module, named, (x, context))
            traced.skip = ~output.loss.isfinite()
            return output

        state = replace(
            self.state,
            objective=cast(Objective, objective),
            optimizer=cast(FusedAdamW, traced),
            check_every=0,
        )
        batch = Batch(raw, context[0] if context else None, self.batches.prepare)
        output = train_step(state, batch)
        self.terms = list(output.terms)
        return output.loss, output.squared_error(), *output.terms.values()


def step_inputs(factors: Tensor, raw: Tensor, context: Tensor | None) -> list[Tensor]:
    """The inputs of the graph that differ in each step: the numbers of AdamW, and a batch."""
    return [factors, raw] if context is None else [factors, raw, context]


def compiled(graph: GraphModule, inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """A graph compiled: some ten seconds, a few where it was compiled before on this computer.

    The same graph of another training in this process gets the same program, at once.
    inputs: an example of its inputs.

    Raises:
        Exception: of any kind the compiler raises, for instance without a C++ compiler.
    """
    identity = _identity(graph, inputs)
    if identity is not None and identity in _PROGRAMS:
        _PROGRAMS.move_to_end(identity)
        return _PROGRAMS[identity]
    on_cpu = all(each.device.type == "cpu" for each in inputs)
    # On a processor the calls of the kernels are compiled too: in Python they take 0.2 ms. On a GPU
    # kernels that do not need each other's results are joined.
    options = {"cpp_wrapper": True} if on_cpu else {"combo_kernels": True}
    for node in graph.graph.find_nodes(op="placeholder"):
        # The tensors of the trace, which the compiler would take for its inputs.
        node.meta.pop("val", None)
    with torch.no_grad(), _quiet():
        from torch._inductor import compile as inductor

        program: Callable[..., Any] = inductor(graph, list(inputs), options=options)
    if identity is not None:
        _PROGRAMS[identity] = program
        while len(_PROGRAMS) > KEPT_PROGRAMS:
            _PROGRAMS.popitem(last=False)
    return program


def _identity(graph: GraphModule, inputs: Sequence[Tensor]) -> tuple[Any, ...] | None:
    """What a program depends on; None if the graph does not show all of it.

    These are the operations, the constants among their arguments, the memory layout of the inputs
    and the number of threads, for which kernels on a processor are written.
    """
    constants = []
    for node in graph.graph.find_nodes(op="get_attr"):
        constant = getattr(graph, str(node.target), None)
        if not isinstance(constant, Tensor):
            return None
        constants.append((node.name, _layout(constant), constant.flatten().tolist()))
    if graph.graph.find_nodes(op="call_module"):
        return None
    layouts = tuple(_layout(each) for each in inputs)
    return graph.code, layouts, repr(constants), torch.get_num_threads()


def _layout(x: Tensor) -> tuple[Any, ...]:
    return x.dtype, str(x.device), tuple(x.shape), x.stride()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides the warnings that torch's own parts give about each other, but not errors."""
    log = logging.getLogger("torch._inductor")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)

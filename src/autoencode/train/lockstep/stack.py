"""Many alike models updated as one: their weights lie in common tensors, [models, …]."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Generator, Tensor
from torch.fx import GraphModule

from autoencode.maths import exact_products
from autoencode.models.objective import Objective
from autoencode.train.adam import Adam
from autoencode.train.batches import Batches, BatchesOfMany
from autoencode.train.compile.buffers import Held
from autoencode.train.compile.traced import Traced, compiled, moving, weights_of
from autoencode.train.lockstep.draws import Untraceable, taken_out
from autoencode.train.lockstep.recorded import SIZES, Recorded, Recorder
from autoencode.train.meter import Stepped

aten = torch.ops.aten


class Plan:
    """One update of a model, as it is to be done for many like it at once."""

    def __init__(
        self,
        objective: Objective,
        optimizer: Adam,
        batches: Batches,
        precision: torch.dtype,
        count: int,
    ) -> None:
        """Traces the update of a copy; the model and torch's random state stay as they are.

        count: models that are meant to be updated at once.

        Raises:
            Untraceable: it depends on values, or draws random numbers as no other place can.
        """
        try:
            objective = deepcopy(objective).train()
            trial = Adam(
                objective.model_parameters(),
                optimizer.lr,
                optimizer.betas,
                optimizer.eps,
                optimizer.weight_decay,
            )
            cuda = [batches.device] if batches.device.type == "cuda" else []
            with torch.random.fork_rng(devices=cuda):
                # Says which weights have a gradient.
                objective(batches.look(batches[0][0]), batches[0][1]).loss.backward()
            trial.update()
            held = Held(objective, trial)
            self.names = held.names
            self.traced = Traced(objective, held, batches, precision, {}, free=True)
            graph = self.traced.graph
            self.draws = taken_out(graph)
            for node in graph.graph.find_nodes(op="call_function", target=aten.view.default):
                # What can be seen as another shape in one model may not lie so in many.
                node.target = aten.reshape.default
            graph.recompile()
            self.graphs: dict[int, GraphModule] = {}
            # Whatever it is that fails, it must do so before anything is trained.
            self.graph_of(count)
        except Exception as error:
            # Of whatever kind: one after another they can still be trained.
            raise Untraceable(str(error)) from error

    def graph_of(self, count: int) -> GraphModule:
        """The update of so many models, of what `Stack` holds and gives; traced once."""
        from torch.fx.experimental.proxy_tensor import make_fx

        if count not in self.graphs:
            traced = self.traced
            now, *raw = moving(traced.numbers(1, 0.0), *traced.batches[0])
            each = [*raw, weights_of(traced.objective)]
            held, others = (
                [t.repeat(count, *[1] * t.dim()) for t in tensors]
                for tensors in (traced.held.tensors, each)
            )
            drawn = [draw.memory(count, traced.device) for draw in self.draws]
            given = [*held, now, *others, *drawn]
            # The numbers of Adam's step are the same for all.
            along = [None if tensor is now else 0 for tensor in given]
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                at_once = torch.func.vmap(traced.graph, in_dims=tuple(along), randomness="error")
                self.graphs[count] = make_fx(at_once)(*given)
        return self.graphs[count]


class Stack:
    """Models that differ in their weights, their batches, their noise and the weights of terms."""

    def __init__(
        self,
        plan: Plan,
        objectives: Sequence[Objective],
        held: Sequence[Held],
        batches: Sequence[Batches],
        generators: Sequence[Generator],
    ) -> None:
        """Puts what the models and their optimisers hold into common tensors, of which they keep
        their parts: whatever is done to a model is done to the stack, and the other way round.

        generators: where each model draws its noise from.
        """
        self.terms, self.traced = plan.traced.terms, plan.traced
        self.batches, self.generators = BatchesOfMany(batches), generators
        self.held = held
        self.count = held[0].count
        self.tensors = [torch.stack(each) for each in zip(*(h.tensors for h in held), strict=True)]
        for i, each in enumerate(held):
            each.move([tensor[i] for tensor in self.tensors])
        self.weights = torch.stack([weights_of(objective) for objective in objectives])
        device = plan.traced.device
        self.draws = plan.draws
        self.drawn = [draw.memory(len(held), device) for draw in plan.draws]
        self.graph = plan.graph_of(len(held))
        self.program: Callable[..., Any] = self.graph
        # By how many updates each makes at once.
        self.recorded: dict[int, Recorded] = {}

    def compile(self) -> None:
        """Compiles the update; raises as `compiled` does."""
        self.program = compiled(self.graph, self._given(*self._at(0, 1, 0.0)))

    def record(self, record: Recorder) -> None:
        """Lets updates be played back from now on.

        Raises:
            RuntimeError: what is played back is not what is made, or nothing can be recorded.
        """
        example = self._at(0, 1, 0.0)
        self.recorded = {size: Recorded(self, [example] * size, record) for size in SIZES}

    def update(self, step: int, lr: float) -> Stepped:
        """One update of each model by its batch of that step; numbers are [models]."""
        (stepped,) = self.updates(step, [lr])
        return stepped

    def updates(self, step: int, rates: Sequence[float]) -> list[Stepped]:
        """Updates from that step on, one for each of these rates of learning."""
        found: list[Stepped] = []
        while len(found) < len(rates):
            left = len(rates) - len(found)
            size = max((n for n in self.recorded if n <= left), default=1)
            given = []
            for k in range(len(found), len(found) + size):
                self.count += 1
                given.append(self._at(step + k, self.count, rates[k]))
            if size in self.recorded:
                found += self.recorded[size](given)
            else:
                found += self.made(given)
        for each in self.held:
            each.optimizer.lr = rates[-1]
        return found

    def made(self, given: Sequence[tuple[Tensor, Tensor]]) -> list[Stepped]:
        """Updates by examples [models, B] and the numbers of Adam's step [3], one for each."""
        found = []
        for chosen, now in given:
            for draw, memory in zip(self.draws, self.drawn, strict=True):
                for i, generator in enumerate(self.generators):
                    draw.into(memory[i], generator)
            with torch.no_grad(), exact_products():
                loss, error, *terms = self.program(*self._given(chosen, now))
            named = dict(zip(self.terms, terms, strict=True))
            found.append(Stepped(loss, named, lambda error=error: error))
        return found

    def part(self) -> None:
        """Gives each model tensors of its own again."""
        for i, each in enumerate(self.held):
            each.move([tensor[i].clone() for tensor in self.tensors])

    def _at(self, step: int, count: int, lr: float) -> tuple[Tensor, Tensor]:
        """Positions of that step's examples, [models, B], and the numbers of Adam's step, [3]."""
        return self.batches.chosen(step), self.traced.numbers(count, lr)

    def _given(self, chosen: Tensor, now: Tensor) -> list[Tensor]:
        changing = moving(now, *self.batches.rows(chosen))
        return [*self.tensors, *changing, self.weights, *self.drawn]

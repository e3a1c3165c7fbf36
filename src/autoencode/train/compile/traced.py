"""One update of a model's weights written down, forwards, backwards and optimiser."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.fx import GraphModule

from autoencode.maths import tracing
from autoencode.models.objective import Objective
from autoencode.train.adam import adam, factors
from autoencode.train.batches import Batches
from autoencode.train.compile.buffers import STATE, Held
from autoencode.train.meter import squared_error
from autoencode.train.precision import computing


class Traced:
    """The graph of one update, and what it takes.

    graph: takes what `held` holds, and changes that in place, and then what `moving` lists, and
        the weights of the terms, [T], where they were to be free. It gives the loss, the squared
        error and each of `terms`, []. Where the loss is not finite it changes no weight.
    """

    def __init__(
        self,
        objective: Objective,
        held: Held,
        batches: Batches,
        precision: torch.dtype,
        rewritten: Mapping[Any, Callable[..., Any]],
        *,
        free: bool = False,
    ) -> None:
        """Traces it; nothing is changed and no random number is drawn.

        rewritten: operations, and what is written down in their place.
        free: whether the weights of the terms are given at each update.

        Raises:
            Whatever tracing raises, where the update asks for values of tensors.
        """
        # Not needed by most trainings, and slow to load.
        from torch.fx.experimental.proxy_tensor import make_fx

        self.objective, self.held, self.batches = objective, held, batches
        self.device, self.precision, self.free = batches.device, precision, free
        self.terms: list[str] = []
        copies = [t.clone() for t in held.tensors]
        for copy in copies[: len(held.names)]:
            copy.requires_grad_()
        cuda = [self.device] if self.device.type == "cuda" else []
        given = [*copies, *moving(self.numbers(1, held.optimizer.lr), *batches[0])]
        given += [weights_of(objective)] if free else []
        with torch.random.fork_rng(devices=cuda), tracing():
            self.graph = make_fx(self._whole, dict(rewritten))(*given)

    def numbers(self, count: int, lr: float) -> Tensor:
        """The numbers of Adam's `count`-th step, [3]."""
        adam = self.held.optimizer
        return factors(count, lr, adam.betas, adam.weight_decay, self.device)

    def _whole(self, *given: Tensor) -> tuple[Tensor, ...]:
        held, optimizer = self.held, self.held.optimizer
        n = len(held.names)
        k = n + len(STATE) * n
        weights, states, buffers = given[:n], given[n:k], given[k : len(held.tensors)]
        now, raw, *told = given[len(held.tensors) :]
        fixed = self.objective.weights
        if self.free:
            self.objective.weights = dict(zip(fixed, told.pop().unbind(), strict=True))
        of_each = dict(zip([*held.names, *held.buffers], [*weights, *buffers], strict=True))
        x, known = self.batches.look(raw), told[0] if told else None
        try:
            with computing(self.precision, self.device):
                output = functional_call(self.objective, of_each, (x, known))
        finally:
            self.objective.weights = fixed
        grads = torch.autograd.grad(output.loss, weights)
        with torch.no_grad():
            keep = ~output.loss.isfinite()
            for i, (p, grad) in enumerate(zip(weights, grads, strict=True)):
                adam(p, grad, states[i::n], now, optimizer.betas, optimizer.eps, keep)
            error = squared_error(output.forward_pass.px.mean, output.forward_pass.x)
        self.terms = list(output.terms)
        return output.loss.detach(), error, *(term.detach() for term in output.terms.values())


def moving(now: Tensor, raw: Tensor, known: Tensor | None) -> list[Tensor]:
    """What is another in each update: the numbers of Adam's step, and a batch."""
    return [now, raw] if known is None else [now, raw, known]


def weights_of(objective: Objective) -> Tensor:
    """The weights of its terms, [T]."""
    return torch.tensor(
        list(objective.weights.values()), device=next(objective.parameters()).device
    )


def compiled(graph: GraphModule, given: list[Tensor]) -> Callable[..., Any]:
    """A graph compiled: some ten seconds, a few where it was compiled before.

    given: what it takes, for one.

    Raises:
        Whatever the compiler raises, for one that there is no C++ compiler for it to use.
    """
    # On a processor what calls the kernels is compiled too: in Python that takes 0.2 ms.
    options = {"cpp_wrapper": all(each.device.type == "cpu" for each in given)}
    for node in graph.graph.find_nodes(op="placeholder"):
        # What it was traced with; the compiler takes these for what it is to be given.
        node.meta.pop("val", None)
    with torch.no_grad(), _quiet():
        from torch._inductor import compile as inductor

        program: Callable[..., Any] = inductor(graph, given, options=options)
        return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what torch's own parts have to say about each other, but for errors."""
    log = logging.getLogger("torch._inductor")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)

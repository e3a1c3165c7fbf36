"""Updates recorded once and played back: on a GPU, starting each operation takes longer than it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Generator, Tensor

from autoencode.train.meter import Stepped

# Updates that are played back at once; the rest, before there is something to look at, singly.
SIZES = (10, 1)
# How far what is played back may be from what is made, where sums may be added up in any order.
WITHIN = {"rtol": 1e-2, "atol": 1e-4}

# Takes what is to be recorded and where it draws from; gives what plays it back.
Recorder = Callable[[Callable[[], None], Sequence[Generator]], Callable[[], None]]


class Updates(Protocol):
    """What makes updates: what they change, where they draw from, and how they are made."""

    tensors: list[Tensor]
    generators: Sequence[Generator]

    def made(self, given: Sequence[tuple[Tensor, Tensor]]) -> list[Stepped]:
        """Updates by positions of examples and the numbers of Adam's step, one for each."""


class Recorded:
    """Several updates of a stack, played back on the examples that it is given."""

    def __init__(
        self, stack: Updates, given: Sequence[tuple[Tensor, Tensor]], record: Recorder
    ) -> None:
        """Records them; weights and random state stay as they are.

        given: what they take, for one; with steps of size 0, as Adam makes much of the last bit
            of a small gradient.

        Raises:
            RuntimeError: what is played back is not what is made, or nothing can be recorded.
        """
        self.given = [(chosen.clone(), now.clone()) for chosen, now in given]
        before = [tensor.clone() for tensor in stack.tensors]
        states = [generator.get_state() for generator in stack.generators]

        def back() -> None:
            for tensor, was in zip(stack.tensors, before, strict=True):
                tensor.copy_(was)
            for generator, state in zip(stack.generators, states, strict=True):
                generator.set_state(state)

        try:
            # The libraries choose and set up their operations the first time.
            expected = stack.made(self.given)
            weights = [tensor.clone() for tensor in stack.tensors]
            self.found = [copied(each) for each in expected]

            def body() -> None:
                for kept, new in zip(self.found, stack.made(self.given), strict=True):
                    for memory, value in zip(tensors(kept), tensors(new), strict=True):
                        memory.copy_(value)

            back()
            self.play = record(body, stack.generators)
            back()
            played = self(self.given)
            for a, b in zip(expected, played, strict=True):
                torch.testing.assert_close(tensors(b), tensors(a), **WITHIN)
            torch.testing.assert_close(stack.tensors, weights, **WITHIN)
        except AssertionError as error:
            raise RuntimeError(f"What is played back is not what is made: {error}") from error
        finally:
            back()

    def __call__(self, given: Sequence[tuple[Tensor, Tensor]]) -> list[Stepped]:
        """The updates, as `Stack.made` makes them."""
        for (chosen, now), (new_chosen, new_now) in zip(self.given, given, strict=True):
            chosen.copy_(new_chosen)
            now.copy_(new_now)
        self.play()
        # The next call writes into the same memory.
        return [copied(each) for each in self.found]


def tensors(stepped: Stepped) -> list[Tensor]:
    """The numbers of an update: loss, error, and the terms."""
    return [stepped.loss, stepped.error(), *stepped.terms.values()]


def copied(stepped: Stepped) -> Stepped:
    """The same numbers in memory of their own."""
    error = stepped.error().clone()
    terms = {name: value.clone() for name, value in stepped.terms.items()}
    return Stepped(stepped.loss.clone(), terms, lambda: error)


def as_cuda_graph(body: Callable[[], None], generators: Sequence[Generator]) -> Callable[[], None]:
    """Records what a function does on a GPU, without doing it; playing it back does it."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        body()
    return graph.replay

"""Alike trainings in lockstep: one update changes the weights of all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator

from autoencode.errors import Diverged, Interrupted
from autoencode.io.signals import StopSignals
from autoencode.train.checks import not_compiled
from autoencode.train.compile.buffers import Held
from autoencode.train.lockstep.draws import Untraceable
from autoencode.train.lockstep.recorded import as_cuda_graph
from autoencode.train.lockstep.stack import Plan, Stack
from autoencode.train.meter import Meter, Stepped
from autoencode.train.progress import TrainingBar
from autoencode.train.trainer import Loop

# Steps between two looks at signals, where nothing else asks for one.
MOST_AT_ONCE = 50
# Updates, of all models, that compiling pays for.
WORTH_COMPILING = 1_000


@dataclass
class Member:
    """One of the trainings, the numbers that it draws, and what ended it before the others."""

    loop: Loop
    generators: dict[str, Generator]
    error: Diverged | None = None

    @classmethod
    def of(cls, loop: Loop) -> Member:
        """A training before its first update, or one that was restored under this random state."""
        device = loop.device
        generators = {"cpu": Generator()}
        generators["cpu"].set_state(torch.get_rng_state())
        if device.type == "cuda":
            generators["cuda"] = Generator(device)
            generators["cuda"].set_state(torch.cuda.get_rng_state(device))
        return cls(loop, generators)

    @property
    def live(self) -> bool:
        """Whether it goes on."""
        return self.error is None and not self.loop.ended

    @property
    def generator(self) -> Generator:
        """Where the noise of its updates comes from."""
        return self.generators.get("cuda", self.generators["cpu"])

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Lets torch's random state be that of this training, as it would be if it ran alone."""
        cuda = self.generators.get("cuda")
        with torch.random.fork_rng(devices=[] if cuda is None else [cuda.device]):
            torch.set_rng_state(self.generators["cpu"].get_state())
            if cuda is not None:
                torch.cuda.set_rng_state(cuda.get_state(), cuda.device)
            yield

    def keep(self, save: Callable[[], None]) -> None:
        """Saves it; where a weight is not finite, that is its end."""
        try:
            with self.drawing():
                save()
        except Diverged as error:
            self.error = error


def plan_of(loop: Loop, count: int) -> Plan:
    """How an update of a training is done for `count` like it.

    Raises:
        Untraceable: it cannot be.
    """
    if loop.moves or loop.data.train.mapped:
        raise Untraceable("its steps are not alike, or its data lie in a file")
    return Plan(loop.objective, loop.optimizer, loop.batches, loop.precision, count)


class Together:
    """Trainings that are at the same step, of the same network, data and settings."""

    def __init__(self, members: Sequence[Member], plan: Plan, progress: bool | None) -> None:
        self.members, self.plan, self.progress = members, plan, progress
        self.first = members[0].loop
        self.step = self.first.step

    def run(self) -> None:
        """Trains each to its end; the models then hold the weights to keep.

        Raises:
            Interrupted: a signal asked for a stop; all are saved.     ResourceError: the disk is
            full.     RecipeError: the update was to be compiled, and cannot be.
        """
        loops = [member.loop for member in self.members]
        bar = TrainingBar(self.first.total, self.step, self.progress)
        # As for one: without a folder nothing could be saved.
        saved = any(loop.folder for loop in loops)
        stop: AbstractContextManager[Any] = StopSignals() if saved else nullcontext()
        with stop as signals, bar, ExitStack() as running:
            for member in self.members:
                # The bar speaks of the first.
                show = bar.show if member is self.members[0] else _nothing
                with member.drawing():
                    running.enter_context(member.loop.running(show))
            stack = Stack(
                self.plan,
                [loop.objective for loop in loops],
                [Held(loop.objective, loop.optimizer, self.plan.names) for loop in loops],
                [loop.batches for loop in loops],
                [member.generator for member in self.members],
            )
            running.callback(stack.part)
            self._compile(stack, bar)
            self.meter = Meter(self.first.log_every)
            while live := [member for member in self.members if member.live]:
                self._heed(signals, live)
                self._advance(stack)
                live = [member for member in live if member.error is None]
                for member in live:
                    with member.drawing():
                        member.loop.look()
                self._heed(signals, live)
                for member in live:
                    member.keep(member.loop.save)

    def _compile(self, stack: Stack, bar: TrainingBar) -> None:
        wanted, loop = self.first.settings.compile, self.first
        work = (loop.total - self.step) * len(self.members)
        if wanted == "off" or (wanted == "auto" and work < WORTH_COMPILING):
            return
        began = time.perf_counter()
        try:
            bar.say("compiling the step")
            stack.compile()
        except Exception as error:
            # As for one: it is there to save time.
            if wanted == "on":
                raise not_compiled(error) from error
        if self.first.device.type == "cuda":
            with suppress(RuntimeError):
                stack.record(as_cuda_graph)
        for member in self.members:
            member.loop.compiling_seconds = time.perf_counter() - began

    def _advance(self, stack: Stack) -> None:
        """Updates all of them until there is something to look at."""
        first, began = self.first, time.perf_counter()
        # As far as there is nothing to look at, but not so far that a signal has to wait.
        steps = range(self.step, self.step + MOST_AT_ONCE)
        until = next((step + 1 for step in steps if first.looks(step + 1)), steps.stop)
        for start in range(self.step, until, first.check_every):
            some = range(start, min(until, start + first.check_every))
            rates = [first.rate(step) for step in some]
            for step, stepped in zip(some, stack.updates(start, rates), strict=True):
                self.meter.add(stepped, step)
            if not bool(stepped.loss.isfinite().all()):
                self._diverged(stepped, some[-1])
        self.step = until
        self.meter.seconds += time.perf_counter() - began
        for member, meter in zip(self.members, self.meter.of_each(), strict=True):
            if member.live:
                member.loop.step, member.loop.meter = self.step, meter
        if first.writes(self.step):
            self.meter = Meter(first.log_every)

    def _diverged(self, stepped: Stepped, step: int) -> None:
        for i, member in enumerate(self.members):
            if member.live and not bool(stepped.loss[i].isfinite()):
                member.loop.step = step
                terms = {name: value[i] for name, value in stepped.terms.items()}
                member.error = member.loop.diverged(terms)

    def _heed(self, signals: StopSignals | None, live: Sequence[Member]) -> None:
        if signals is None or not signals.received:
            return
        for member in live:
            member.keep(member.loop.checkpoint)
        raise Interrupted(
            f"Stopped at step {self.step:,} of {self.first.total:,}; everything is saved",
            "Give the same again to go on.",
            signal=signals.received,
        )


def _nothing(line: Mapping[str, Any]) -> None:
    """Of the others no line is shown."""

"""The processes that train one model together, and how they exchange numbers and errors."""

from __future__ import annotations

import atexit
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from autoencode.errors import AutoencodeError, RecipeError, RunError
from autoencode.io.processes import Place, place
from autoencode.io.signals import StopSignals
from autoencode.maths.sharding import Shard
from autoencode.train.precision import choose_device
from autoencode.train.settings import Device

Value = TypeVar("Value")
Failure = TypeVar("Failure", bound=Exception)
ALONE = Place(0, 1, 0, 1, False)


class ProcessLost(RunError):
    """Another process of a training has ended, so that it cannot go on."""


class TrainingGroup:
    """The processes of one training; by default this process alone.

    Each process computes its rows of every batch, and the sums over all processes are those of one
    process. Only the first one writes files, prints and validates.

    signals: of this process, while it trains a run that can be resumed.
    received: the signal that a process had received at the last step, the same in all of them.
    ended: whether all processes have raised the same error.
    """

    def __init__(self, where: Place = ALONE) -> None:
        self.place, self.rank, self.size = where, where.rank, where.size
        self.signals: StopSignals | None = None
        self.received: int | None = None
        self.ended = False

    @property
    def is_first(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def device(self, wanted: Device) -> torch.device:
        """The device of this process; "auto" is a GPU of its own, else the CPU.

        Raises:
            RecipeError: this machine has no such device, or too few of them.
        """
        if self.size == 1:
            return choose_device(wanted)
        if wanted == "mps":
            raise RecipeError(
                "Several processes cannot train together on mps", "Use --device cpu (device=)."
            )
        if wanted == "cpu" or not torch.cuda.is_available():
            return choose_device("cpu" if wanted == "auto" else wanted)
        if self.place.local_rank >= (count := torch.cuda.device_count()):
            raise RecipeError(
                f"This machine has {count} GPU{'s' if count > 1 else ''}, and torchrun started "
                f"{self.place.local_size} processes here",
                f"Start --nproc-per-node {count}, or use --device cpu.",
            )
        return torch.device("cuda", self.place.local_rank)

    def shard(self, total: int) -> Shard | None:
        """The rows of this process in a batch of `total` examples; None if it computes all."""
        if self.size == 1:
            return None
        start, stop = (total * rank // self.size for rank in (self.rank, self.rank + 1))
        return Shard(self.rank, self.size, start, stop, total, self.add)

    def add(self, x: Tensor) -> None:
        """Replaces a tensor by its sum over all processes.

        Raises:
            ProcessLost: another process has ended.
        """
        with _connected():
            distributed.all_reduce(x)

    def reduce(
        self, parameters: Sequence[Tensor], figures: Sequence[Tensor], look: bool = False
    ) -> list[Tensor]:
        """Sums gradients and figures over all processes, in one operation.

        The gradients of the parameters are replaced. The sums of the figures, each [], are
        returned. With `look`, `received` is set if a process has received a signal.
        """
        received = None if self.signals is None else self.signals.received
        signals = [float(each == received) for each in StopSignals.WATCHED]
        with_gradient = [p for p in parameters if p.grad is not None]
        parts = [p.grad.reshape(-1) for p in with_gradient if p.grad is not None]
        parts += [torch.stack([*figures]).float(), figures[0].new_tensor(signals).float()]
        flat = torch.cat(parts)
        self.add(flat)
        *gradients, sums, counts = torch.split(flat, [len(part) for part in parts])
        for p, gradient in zip(with_gradient, gradients, strict=True):
            p.grad = gradient.view_as(p)
        if look and self.signals is not None:
            found = zip(StopSignals.WATCHED, counts.tolist(), strict=True)
            self.received = next((each for each, count in found if count), None)
        return list(sums.unbind())

    def first(self, function: Callable[[], Value]) -> Value:
        """Calls a function in the first process only; all get its value, or raise its error.

        The value can be pickled, or is None.
        """
        if self.size == 1:
            return function()
        error: Exception | None = None
        sent: list[Any] = [None, None]
        if self.is_first:
            try:
                sent[1] = function()
            except Exception as raised:
                error, sent[0] = raised, _for_others(raised)
        with _connected():
            distributed.broadcast_object_list(sent)
        if error is not None or sent[0] is not None:
            raise self.agree(error or sent[0])
        value: Value = sent[1]
        return value

    def together(self, function: Callable[[], Value]) -> Value:
        """Calls a function in every process; if it fails in one of them, all raise its error."""
        if self.size == 1:
            return function()
        error: Exception | None = None
        try:
            value = function()
        except Exception as raised:
            error = raised
        found: list[AutoencodeError | None] = [None] * self.size
        with _connected():
            distributed.all_gather_object(found, None if error is None else _for_others(error))
        failed = next((rank for rank, each in enumerate(found) if each is not None), None)
        if failed is None:
            return value
        if error is not None and failed == self.rank:
            raise self.agree(error)
        theirs = found[failed]
        assert theirs is not None
        theirs.args = (f"In process {failed}: {theirs.args[0]}",) if failed else theirs.args
        raise self.agree(theirs)

    def agree(self, error: Failure) -> Failure:
        """Marks an error that all processes raise, so that one prints it and all end together."""
        if self.size > 1 and isinstance(error, AutoencodeError):
            error.agreed = True
            self.ended = True
        return error

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Context manager inside which only the first process shows warnings."""
        if self.is_first:
            yield
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def check_batch(self, batch_size: int, parts: int = 1) -> None:
        """Checks that each process has an example of each part of a batch.

        Raises:
            RecipeError: there are fewer examples than processes.
        """
        size = -(-batch_size // parts)
        if (smallest := batch_size % size or size) >= self.size:
            return
        what = "A batch" if parts == 1 else f"The smallest of {parts} parts of a batch"
        raise RecipeError(
            f"{what} has {smallest} example{'s' if smallest > 1 else ''}, which {self.size} "
            "processes cannot divide",
            f"Use a multiple of {parts * self.size}: --batch-size (batch_size=) "
            f"{max(1, batch_size // (parts * self.size)) * parts * self.size}.",
        )

    def line(self, batch_size: int, device: torch.device) -> str:
        """A sentence that says how the processes share the work."""
        sizes = {
            batch_size * (r + 1) // self.size - batch_size * r // self.size
            for r in range(self.size)
        }
        threads = torch.get_num_threads()
        return (
            f"{self.size} processes train one model: each computes "
            f"{' or '.join(map(str, sorted(sizes)))} of the {batch_size} examples of a batch on "
            f"{device.type}, with {threads} thread{'s' if threads > 1 else ''} (OMP_NUM_THREADS); "
            "the step is not compiled"
        )

    def command(self, words: str) -> str:
        """The command that continues this training in as many processes, on one machine."""
        if self.size == 1:
            return f"autoencode {words}"
        return f"torchrun --nproc-per-node {self.place.local_size} -m autoencode {words}"


def join() -> TrainingGroup:
    """Joins the processes of the training that `torchrun` started; alone if it started none.

    Raises:
        RunError: the environment has some of the variables that torchrun sets, or the processes
            cannot reach each other.
    """
    where = place()
    if where is None:
        return TrainingGroup()
    group = _joined(where)
    group.ended = False
    return group


@cache
def _joined(where: Place) -> TrainingGroup:
    if not distributed.is_initialized():
        cuda = torch.cuda.is_available() and where.local_rank < torch.cuda.device_count()
        if cuda:
            torch.cuda.set_device(where.local_rank)
        try:
            distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
        except (RuntimeError, ValueError) as error:
            raise RunError(
                f"The {where.size} processes of this training cannot reach each other: "
                f"{(str(error).splitlines() or [''])[0]}",
                "Check MASTER_ADDR and MASTER_PORT, and name the network interface: "
                "GLOO_SOCKET_IFNAME=eth0.",
            ) from error
    group = TrainingGroup(where)
    atexit.register(_leave, group)
    return group


def _leave(group: TrainingGroup) -> None:
    """Ends the connections; after an error of all processes it waits for them.

    torchrun ends all processes as soon as one has failed: the first one could not print the error.
    """
    with suppress(RuntimeError):
        if group.ended:
            distributed.barrier()
        distributed.destroy_process_group()


@contextmanager
def _connected() -> Iterator[None]:
    """Turns the error of a connection into a sentence.

    Raises:
        ProcessLost: another process has ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, distributed.DistError) and "onnection" not in str(error):
            raise
        raise ProcessLost(
            "Another process of this training has ended, so it cannot go on",
            "Everything up to the last checkpoint is saved; continue with: autoencode resume RUN",
        ) from error


def _for_others(error: Exception) -> AutoencodeError:
    """The error that other processes raise."""
    if isinstance(error, AutoencodeError):
        theirs = copy(error)
        theirs.__cause__ = theirs.__context__ = None
    else:
        theirs = RunError(f"{type(error).__name__}: {error}")
    return theirs

"""Checkpoints: all that resuming bit for bit needs, in one checked file each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from torch import Tensor

from autoencode.arguments import Within, check_fields
from autoencode.errors import RunError
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.weights import misfits, not_finite
from autoencode.train.state import TrainState

# Checkpoints that a run keeps: the newest, and one before it in case the newest is damaged.
MAX_CHECKPOINTS = 2
# The parts of a checkpoint, besides the optimisers.
PARTS = ("model", "best", "average", "rng")
Seconds = Annotated[float, Within(0.0, 1e12)]


@dataclass(frozen=True)
class Counters:
    """The numbers of a training in a checkpoint, by their names in `TrainState`.

    None stands for a number that is not finite.
    """

    step: int
    seconds: Seconds
    computing_seconds: Seconds
    best_loss: float | None
    validations_without_improvement: Annotated[int, Within(0, 10**12)]
    first_loss: float | None = None

    @classmethod
    def of(cls, state: TrainState) -> Self:
        """The counters of a training."""
        counters: dict[str, Any] = {f.name: getattr(state, f.name) for f in fields(cls)}
        for name in ("best_loss", "first_loss"):
            if counters[name] is not None and not math.isfinite(counters[name]):
                counters[name] = None
        return cls(**counters)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """The counters that a checkpoint holds.

        Raises:
            RunError: one is missing, unknown, of another type or out of range.
        """
        names = [field.name for field in fields(cls)]
        wrong = [f"{name} is unknown" for name in given if name not in names]
        optional = [field.name for field in fields(cls) if field.default is None]
        wrong += [f"{n} is missing" for n in names if n not in given and n not in optional]
        if wrong:
            raise RunError("; ".join(wrong))
        counters = cls(**given)
        check_fields(counters, RunError)
        return counters


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint, as tensors by name.

    model: weights and buffers of the objective.   best: those of the best validation, or none.
    average: the moving average of both, or none.
    optimizers: the state of each optimiser, by its name in `TrainState.optimizers`.
    random: torch's random state, "cpu" and, where there is one, "cuda".
    """

    counters: Counters
    model: Mapping[str, Tensor]
    best: Mapping[str, Tensor]
    average: Mapping[str, Tensor]
    optimizers: Mapping[str, Mapping[str, Tensor]]
    random: Mapping[str, Tensor]

    @classmethod
    def of(cls, state: TrainState) -> Self:
        """The checkpoint of a training as it is."""
        random = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        return cls(
            Counters.of(state),
            state.objective.state_dict(),
            state.best_weights,
            {} if state.average is None else state.average.tensors,
            {name: optimizer.tensors() for name, optimizer in state.optimizers.items()},
            random,
        )

    def write(self, path: Path) -> None:
        """Writes the file.

        Raises:
            ResourceError: the disk is full.
        """
        parts = {
            "model": self.model,
            "best": self.best,
            "average": self.average,
            "rng": self.random,
            **self.optimizers,
        }
        tensors = {f"{part}.{name}": t for part, of in parts.items() for name, t in of.items()}
        write_tensors(path, tensors, asdict(self.counters))

    @classmethod
    def read(cls, path: Path, state: TrainState) -> Self:
        """The checkpoint in a file, which is one of this training.

        Raises:
            RunError: the file is damaged, or its content is not that of such a checkpoint.
        """
        tensors, counters = read_tensors(path)
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in (*PARTS, *state.optimizers)}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part not in parts:
                raise RunError(f"{path} is not valid: {name} is unknown")
            parts[part][rest] = tensor
        try:
            checked = Counters.from_dict(counters)
        except RunError as error:
            raise RunError(f"{path} is not valid: {error.what}") from error
        model, best, average, random = (parts.pop(part) for part in PARTS)
        found = cls(checked, model, best, average, parts, random)
        if wrong := next(found._mistakes(path, state), None):
            raise RunError(f"{path} is not valid: {wrong}")
        return found

    def _mistakes(self, path: Path, state: TrainState) -> Iterator[str]:
        """What this training cannot go on from, a phrase each."""
        first, step, last = state.settings.done_steps, self.counters.step, state.total_steps
        if not first <= step <= last:
            yield f"step is {step:,}, and this training has the steps {first:,} to {last:,}"
        if path.name != file_name(step):
            yield f"step is {step:,}, and its name is that of another step"
        wanted = state.objective.state_dict()
        yield from misfits(wanted, self.model) or not_finite(wanted, self.model)
        for what, weights in (("best", self.best), ("averaged", self.average)):
            if weights:
                wrong = misfits(wanted, weights) or not_finite(wanted, weights)
                yield from (f"of the {what} weights, {phrase}" for phrase in wrong)
        if bool(self.average) != (state.average is not None):
            yield "it has averaged weights and this training has none, or the reverse"
        if bool(self.best) != (self.counters.best_loss is not None):
            yield "the best loss and the best weights are not both there"
        if self.best and not state.keeps_best:
            yield "it has best weights, and this training keeps the last ones"
        for name, optimizer in state.optimizers.items():
            yield from (
                f"of {name}, {phrase}" for phrase in optimizer.mistakes(self.optimizers[name])
            )
        yield from self._random_mistakes()

    def _random_mistakes(self) -> Iterator[str]:
        yield from (f"rng.{name} is unknown" for name in self.random if name not in ("cpu", "cuda"))
        if "cpu" not in self.random:
            yield "rng.cpu is missing"
        for device, given in self.random.items():
            if device == "cpu" or torch.cuda.is_available():
                try:
                    torch.Generator(device).set_state(given)
                except (RuntimeError, TypeError):
                    yield f"rng.{device} is no state of torch's random numbers"

    def restore(self, state: TrainState) -> None:
        """Sets a training, and torch's random state, to this checkpoint."""
        state.objective.load_state_dict(dict(self.model))
        for name, optimizer in state.optimizers.items():
            optimizer.restore(self.optimizers[name])
        torch.set_rng_state(self.random["cpu"])
        if "cuda" in self.random and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.random["cuda"])
        state.best_weights = dict(self.best)
        if state.average is not None:
            state.average.restore(self.average, self.counters.step - state.settings.done_steps)
        for field in fields(self.counters):
            setattr(state, field.name, getattr(self.counters, field.name))
        state.best_loss = math.inf if self.counters.best_loss is None else self.counters.best_loss


_saved: ContextVar[Callable[[], object]] = ContextVar("saved", default=lambda: None)


@contextmanager
def after_each_checkpoint(function: Callable[[], object]) -> Iterator[None]:
    """A context in which a function is called after each checkpoint that this thread saves."""
    token = _saved.set(function)
    try:
        yield
    finally:
        _saved.reset(token)


def file_name(step: int) -> str:
    """The name of the checkpoint of a step."""
    return f"state-{step:09d}.safetensors"


def save_checkpoint(folder: Path, state: TrainState) -> None:
    """Writes the checkpoint of a training and deletes all but the newest two.

    Raises:
        ResourceError: the disk is full.
    """
    Checkpoint.of(state).write(folder / file_name(state.step))
    for old in checkpoints(folder)[MAX_CHECKPOINTS:]:
        with suppress(OSError):
            old.unlink()
    _saved.get()()


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, newest first."""
    return sorted(folder.glob("state-*.safetensors"), reverse=True)


def restore_checkpoint(folder: Path, state: TrainState) -> list[str]:
    """Restores the newest checkpoint that is valid, torch's random state included.

    Returns a sentence for each newer file that is damaged or not valid.

    Raises:
        RunError: there is no valid checkpoint.
    """
    wrong: list[str] = []
    for path in checkpoints(folder):
        try:
            Checkpoint.read(path, state).restore(state)
        except RunError as error:
            wrong.append(str(error.what))
            continue
        return wrong
    raise RunError(
        f"{folder} holds no complete checkpoint to continue from"
        + (f" ({'; '.join(wrong)})" if wrong else ""),
        "Train again.",
    )

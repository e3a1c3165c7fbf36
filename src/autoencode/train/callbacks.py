"""Callbacks of the trainer: snapshots, log, validation with early stopping, checkpoints."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from autoencode.data import Data
from autoencode.models.conditions import conditioning
from autoencode.models.linear_checks import linear_path
from autoencode.models.recipe import Recipe
from autoencode.models.snapshots import save_snapshot, snapshot_steps
from autoencode.train.batches import Batches
from autoencode.train.meter import Meter
from autoencode.train.state import TrainState
from autoencode.train.validation import Validation

# Lines of the log, and validations and checkpoints of a training, where no number is asked for.
LOG_LINES = 300
VALIDATIONS = CHECKPOINTS = 20


class Training(Protocol):
    """The part of the trainer that callbacks use.

    state: all that changes from step to step.   meter: sums since the last line of the log.
    folder: of the run; None where nothing is saved.
    on_validation: called with the step and the figures of each validation.
    """

    state: TrainState
    recipe: Recipe
    data: Data
    batches: Batches
    meter: Meter
    folder: Path | None
    on_validation: Callable[[int, Mapping[str, Any]], None] | None

    @property
    def epochs(self) -> float:
        """Passes over the training data so far."""

    def report(self, line: Mapping[str, Any]) -> None:
        """Shows a line of the log and writes it down."""

    def count_seconds(self) -> None:
        """Sets `state.seconds`."""

    def checkpoint(self) -> None:
        """Saves all that resuming needs."""


class Callback(ABC):
    """What is done between two steps."""

    @abstractmethod
    def is_due(self, step: int) -> bool:
        """Whether it is called after that many updates."""

    @abstractmethod
    def __call__(self, trainer: Training) -> None:
        """Is called between two steps."""

    def on_start(self, trainer: Training) -> None:  # noqa: B027  # most need not do anything
        """Is called before the first step of this process."""

    def follow(self, trainer: Training) -> None:  # noqa: B027  # most need not do anything
        """Is called instead in the processes that do not write, see `TrainingGroup`."""


class SaveSnapshots(Callback):
    """Keeps the weights of some steps, from which the explorer shows the training."""

    def __init__(self, total_steps: int, snapshots: int) -> None:
        self.steps = set(snapshot_steps(total_steps, snapshots))

    def is_due(self, step: int) -> bool:
        """At the steps of the snapshots."""
        return step in self.steps

    def __call__(self, trainer: Training) -> None:
        """Writes one snapshot."""
        if trainer.folder is not None:
            with trainer.state.averaged():
                save_snapshot(trainer.folder, trainer.state.model, trainer.state.step)

    def on_start(self, trainer: Training) -> None:
        """Writes the snapshot of the initial weights."""
        if trainer.state.step == trainer.state.settings.done_steps:
            self(trainer)


class WriteLog(Callback):
    """Writes a line of the log: means over the steps since the last one."""

    def __init__(self, total_steps: int) -> None:
        self.every, self.total_steps = max(1, total_steps // LOG_LINES), total_steps

    def is_due(self, step: int) -> bool:
        """Some 300 times in a training, and at its end."""
        return step % self.every == 0 or step == self.total_steps

    def __call__(self, trainer: Training) -> None:
        """Reports the line and starts a new mean."""
        state, meter = trainer.state, trainer.meter
        trainer.count_seconds()
        state.computing_seconds += meter.seconds
        trainer.report(
            {
                "step": state.step,
                "epoch": round(trainer.epochs, 3),
                "seconds": round(state.seconds, 3),
                **meter.means(trainer.batches.batch_size),
                "lr": state.optimizer.lr,
            }
        )
        self.on_start(trainer)

    def on_start(self, trainer: Training) -> None:
        """Starts a new mean."""
        trainer.meter = Meter(self.every)

    def follow(self, trainer: Training) -> None:
        """Starts a new mean at the same steps, so that all processes compute the same figures."""
        self.on_start(trainer)


class Validate(Callback):
    """Measures the model on the validation part; counts for early stopping."""

    def __init__(self, trainer: Training) -> None:
        settings, data = trainer.state.settings, trainer.data.validation
        self.total_steps = trainer.state.total_steps
        self.every = settings.validate_every or max(1, self.total_steps // VALIDATIONS)
        context = conditioning(trainer.recipe, data)
        self.validation = Validation(data.x, context, trainer.state.device)

    def is_due(self, step: int) -> bool:
        """Every so many steps, and at the end."""
        return step % self.every == 0 or step == self.total_steps

    def on_start(self, trainer: Training) -> None:
        """Measures a model that begins at PCA: its initial weights may stay the best ones."""
        state = trainer.state
        if linear_path(trainer.recipe) == "pca" and not state.best_weights:
            self(trainer)

    def __call__(self, trainer: Training) -> None:
        """Measures, reports, and remembers the best weights where they are kept."""
        found = self._measured(trainer)
        if trainer.on_validation is not None:
            trainer.on_validation(trainer.state.step, found)

    def _measured(self, trainer: Training) -> dict[str, Any]:
        state, objective = trainer.state, trainer.state.objective
        # With all schedules at their end, so that early stopping compares equal objectives.
        objective.apply_schedules(math.inf)
        with state.averaged():
            found = self.validation.measure(objective)
            trainer.report({"step": state.step, "validation": found})
            if trainer.folder is not None:
                self.validation.write_strip(objective, trainer.folder, state.step)
            if not state.keeps_best:
                return found
            if found["loss"] < state.best_loss:
                state.best_loss, state.validations_without_improvement = found["loss"], 0
                weights = objective.state_dict()
                state.best_weights = {k: v.detach().clone() for k, v in weights.items()}
            else:
                state.validations_without_improvement += 1
        return found


class SaveCheckpoints(Callback):
    """Saves all that resuming needs."""

    def __init__(self, total_steps: int, every: int | None) -> None:
        self.total_steps = total_steps
        self.every = every or max(1, total_steps // CHECKPOINTS)

    def is_due(self, step: int) -> bool:
        """Every so many steps; the end has its own file of weights."""
        return step % self.every == 0 and step < self.total_steps

    def __call__(self, trainer: Training) -> None:
        """Saves a checkpoint."""
        trainer.checkpoint()

    def on_start(self, trainer: Training) -> None:
        """Saves the state before the first step: from then on there is something to resume."""
        if trainer.state.step == trainer.state.settings.done_steps:
            trainer.checkpoint()


def callbacks_of(trainer: Training) -> list[Callback]:
    """The callbacks of a training, in the order in which they are called."""
    settings, total = trainer.state.settings, trainer.state.total_steps
    snapshots = [SaveSnapshots(total, settings.snapshots)] if settings.snapshots else []
    checkpoints = SaveCheckpoints(total, settings.checkpoint_every)
    return [*snapshots, WriteLog(total), Validate(trainer), checkpoints]

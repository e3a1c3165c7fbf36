"""The trainer: repeats the training step and calls its callbacks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoencode.contract import FittedPrior
from autoencode.data import Data
from autoencode.errors import Interrupted, RunError
from autoencode.io.signals import StopSignals
from autoencode.maths import exact_products
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.describe import term_unit
from autoencode.models.recipe import Recipe
from autoencode.train.batches import Batches
from autoencode.train.callbacks import Callback, Training, callbacks_of
from autoencode.train.checkpoint import restore_checkpoint, save_checkpoint
from autoencode.train.checks import may_compile, not_compiled, refuse_parts, refuse_single
from autoencode.train.compile.step import CompiledStep
from autoencode.train.distributed import TrainingGroup
from autoencode.train.distributed_layers import whole_batch_layers
from autoencode.train.final_checks import FinalChecks
from autoencode.train.fitting import fit_prior
from autoencode.train.log import Log, summary_writer
from autoencode.train.meter import Meter
from autoencode.train.progress import TrainingBar
from autoencode.train.restarts import Restarts
from autoencode.train.settings import Settings
from autoencode.train.state import TrainState
from autoencode.train.step import StepOutput, train_step

# Steps below which a training is not even traced: tracing costs more than compiling saves.
MIN_STEPS_TO_COMPILE = 5_000


class Trainer:
    """One training: its state, its batches, and what happens between the steps."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        data: Data,
        settings: Settings,
        folder: Path | None,
        progress: bool | None,
        group: TrainingGroup | None = None,
    ) -> None:
        """Arguments as of `fit`; `folder` None keeps everything in memory.

        group: the processes that train the model together; None for this one alone.

        Raises:
            RecipeError, DataError, RunError: the training has no meaning as it is asked for.
        """
        self.group = group = group or TrainingGroup()
        # Only the first process writes; but all of them end, where a run can be resumed.
        self.resumable = folder is not None
        folder = folder if group.is_first else None
        self.recipe, self.data, self.settings, self.folder = recipe, data, settings, folder
        self.state = TrainState.create(model, recipe, settings, len(data.train), folder, group)
        self.batches = Batches(
            data.train,
            conditioning(recipe, data.train, training=True),
            settings.batch_size,
            settings.seed,
            self.state.device,
            settings.labelled,
            settings.augment,
            bool(settings.flip),
        )
        self.restarts = Restarts(self.state, self.batches)
        self.progress = progress if group.is_first else False
        self.compiled_step: CompiledStep | None = None
        self.compiling_seconds = 0.0
        changes = self.state.changes_between_steps
        self.may_compile = may_compile(settings.compile, changes, self.state.device, group.size)
        self.meter = Meter(1)
        self.on_validation: Callable[[int, Mapping[str, Any]], None] | None = None
        self._bar = self._new_bar(False)
        self._log: Log | None = None
        self.callbacks: Sequence[Callback] = callbacks_of(self)
        self.final_checks = FinalChecks(recipe, data, self.state)
        self._started = 0.0
        if settings.tensorboard:
            summary_writer()
            if not self.resumable:
                raise RunError(
                    "TensorBoard's log needs a run folder",
                    'Give one: --out runs/NAME (out="runs/NAME").',
                )
        refuse_parts(settings, self.state.critic_optimizer is not None)
        refuse_single(self.state.objective, self.batches.batch_size // settings.accumulate)
        group.check_batch(self.batches.batch_size, settings.accumulate)

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self.state.model

    @property
    def step(self) -> int:
        """Updates that were made."""
        return self.state.step

    @property
    def updates(self) -> int:
        """Updates of this training, without those of a run that it continues."""
        return self.state.step - self.settings.done_steps

    @property
    def epochs(self) -> float:
        """Passes over the training data, those of a run that it continues included."""
        return self.settings.done_epochs + self.batches.epochs(self.updates)

    def restore(self) -> list[str]:
        """Goes back to the newest complete checkpoint; a sentence for each damaged one."""
        assert self.folder is not None
        return restore_checkpoint(self.folder / "state", self.state)

    def run(self) -> None:
        """Trains to the end, or to the early stop; the model then holds the final weights.

        Raises:
            Diverged: the loss is not finite.     Interrupted: a signal asked for a stop.
            ResourceError: the disk is full.
        """
        state = self.state
        # Without a folder nothing could be saved, so Ctrl-C keeps its usual meaning.
        stop: AbstractContextManager[StopSignals | None] = (
            StopSignals() if self.resumable else nullcontext()
        )
        self._started = time.perf_counter() - state.seconds
        self._bar = self._new_bar(self.progress)
        if self.updates == 0 and self.group.is_first:
            self.final_checks.start()
        state.objective.train()
        layers = nullcontext() if self.group.size == 1 else whole_batch_layers(state.objective)
        with stop as signals, layers, self._bar, self._open_log():
            self.group.signals, self.group.received = signals, None
            self._call([(each, each.on_start) for each in self.callbacks])
            while not state.is_done:
                self._compile()
                # A signal ends the compiler too: the step must not go on uncompiled then.
                self._check_signals(signals)
                self._advance(signals)
                self._call([(each, each) for each in self.callbacks if each.is_due(state.step)])
                self._check_signals(signals)
        state.objective.apply_schedules(math.inf)
        if state.best_weights:
            state.objective.load_state_dict(state.best_weights)
        elif state.average is not None:
            state.objective.load_state_dict(state.average.tensors)
        self.count_seconds()

    def _call(self, due: Sequence[tuple[Callback, Callable[[Training], None]]]) -> None:
        """Calls what is due in the first process; all learn whether training stops early.

        Raises:
            RunError: a process has drawn other random numbers than the first one.
        """

        def call() -> tuple[int, Tensor]:
            for _, function in due:
                function(self)
            return self.state.validations_without_improvement, torch.get_rng_state()

        if not due:
            return
        self.state.validations_without_improvement, random = self.group.first(call)
        if self.group.size == 1:
            return
        others = torch.tensor(int(not torch.equal(random, torch.get_rng_state())))
        self.group.add(others)
        if others:
            raise self.group.agree(
                RunError(
                    f"At step {self.step:,}, {int(others)} of {self.group.size} processes had "
                    "drawn other random numbers than the first one, so that they train different "
                    "models",
                    "Train it in one process: use the same command without torchrun.",
                )
            )
        if not self.group.is_first:
            for callback, _ in due:
                callback.follow(self)

    def _received(self, signals: StopSignals | None) -> int | None:
        """The signal that asks for a stop; all processes stop after the same step."""
        if self.group.size > 1:
            return self.group.received
        return None if signals is None else signals.received

    def _advance(self, signals: StopSignals | None) -> None:
        """Updates until a callback is due, the step can be compiled, or a signal came."""
        state = self.state
        first, stop = state.step, state.step + 1
        if not self.may_compile:
            while stop < state.total_steps and not self._is_due(stop):
                stop += 1
        began = time.perf_counter()
        step = self.compiled_step
        if step is not None:
            step.due = stop if state.average is None else 0
        with exact_products():
            while state.step < stop:
                if self._received(signals) and not (step is not None and step.is_ahead):
                    break
                output = self.update()
                error = output.squared_error() if self.meter.wants_error(state.step) else None
                self.meter.add(output.loss, output.terms, error)
                state.step += 1
        # Before anything is measured or saved, so that a resumed training repeats nothing.
        if state.step > first and self.restarts.is_due(state.step):
            self.restarts()
        self.meter.seconds += time.perf_counter() - began

    def update(self) -> StepOutput:
        """One update of the weights; `state.step` is left to the caller.

        Raises:
            Diverged: loss or gradient is not finite; the weights are as they were.
        """
        state = self.state
        if self.compiled_step is not None:
            output = self.compiled_step(state)
        else:
            state.apply_schedules()
            self._fit_priors()
            output = train_step(state, self.batches[state.step])
        if state.average is not None:
            state.average.update()
        return output

    def _is_due(self, step: int) -> bool:
        due = any(callback.is_due(step) for callback in self.callbacks)
        return due or self.restarts.is_due(step)

    def _compile(self) -> None:
        """Compiles the step, once the optimiser has its state, where that saves time."""
        state = self.state
        if not self.may_compile or not state.optimizer.state:
            return
        self.may_compile = False
        began = time.perf_counter()
        always = self.settings.compile == "on"
        # Decided by the length of the whole training, so that a resumed one decides alike.
        steps = state.total_steps - self.settings.done_steps
        if not always and steps < MIN_STEPS_TO_COMPILE:
            return
        try:
            step = CompiledStep(state, self.batches)
            if always or step.seconds_saved() * steps > step.seconds_to_compile():
                self._bar.say("compiling the step")
                step.compile()
                self.compiled_step = step
                self.compiling_seconds = time.perf_counter() - began
        except Exception as error:
            # Compiling only saves time: where it fails, the training goes on without it.
            if always:
                raise not_compiled(error) from error

    def _fit_priors(self) -> None:
        """Fits the priors that are fitted at this step; the optimiser forgets their state."""
        for prior in self.state.fitted_priors:
            if prior.after == self.state.step:
                prior.load_state_dict(self.group.first(partial(self._fitted, prior)))
                for parameter in prior.parameters():
                    self.state.optimizer.state.pop(parameter, None)

    def _fitted(self, prior: FittedPrior) -> dict[str, Tensor]:
        fit_prior(self.model, prior, self.recipe, self.data, self.settings.seed)
        return prior.state_dict()

    def _check_signals(self, signals: StopSignals | None) -> None:
        if received := self._received(signals):
            self.interrupt(received)

    def interrupt(self, signal: int) -> None:
        """Saves a checkpoint and stops.

        Raises:
            Interrupted: always, with the exit code of the signal.
        """
        self.group.first(self.checkpoint)
        raise Interrupted(
            f"Stopped at step {self.step:,} of {self.state.total_steps:,}; everything is saved",
            f"Continue: {self.group.command(f'resume {self.folder}')}",
            signal=signal,
        )

    def count_seconds(self) -> None:
        """Sets the wall-clock time of the training so far."""
        self.state.seconds = time.perf_counter() - self._started

    def checkpoint(self) -> None:
        """Saves all that resuming needs; without a folder nothing.

        Raises:
            Diverged: a weight is not finite.     ResourceError: the disk is full.
        """
        if self.folder is None:
            return
        if not all(bool(p.isfinite().all()) for p in self.state.objective.parameters()):
            raise self.state.diverged({"weights": torch.tensor(math.nan)})
        self.count_seconds()
        save_checkpoint(self.folder / "state", self.state)

    def summary(self) -> dict[str, Any]:
        """What was done so far, for `run.json`."""
        state = self.state
        images = self.updates * self.batches.batch_size
        rate = images / state.computing_seconds if state.computing_seconds else 0.0
        return {
            "steps": state.step,
            "epochs": round(self.epochs, 2),
            "seconds": round(state.seconds, 2),
            "images_per_second": round(rate),
            "device": state.device.type,
            "precision": str(state.precision).removeprefix("torch."),
            "compiling_seconds": round(self.compiling_seconds, 2),
        }

    def _new_bar(self, wanted: bool | None) -> TrainingBar:
        unit_of = partial(term_unit, self.recipe)
        return TrainingBar(self.state.total_steps, self.state.step, unit_of, wanted)

    def report(self, line: Mapping[str, Any]) -> None:
        """Shows a line of the log and writes it down."""
        self._bar.show(line)
        if self._log is not None:
            self._log.write(line)

    @contextmanager
    def _open_log(self) -> Iterator[None]:
        if self.folder is None:
            yield
            return
        self._log = Log(self.folder / "log.jsonl", self.step, self.settings.tensorboard)
        try:
            yield
        finally:
            self._log.close()

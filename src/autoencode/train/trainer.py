"""The training loop: one for every model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoencode.contract import FittedPrior
from autoencode.data import Data
from autoencode.errors import Diverged, Interrupted, RunError
from autoencode.io.signals import StopSignals
from autoencode.maths import exact_products
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.objective import LossOutput, Objective
from autoencode.models.recipe import Recipe
from autoencode.models.snapshots import save_snapshot, snapshot_steps
from autoencode.train.adam import Adam
from autoencode.train.batches import Batches
from autoencode.train.checkpoint import restore_checkpoint, save_checkpoint
from autoencode.train.checks import may_compile, not_compiled, refuse_single
from autoencode.train.compile.program import Step
from autoencode.train.fitting import fit_prior
from autoencode.train.log import Log, summary_writer
from autoencode.train.meter import Meter, Stepped, squared_error
from autoencode.train.precision import (
    choose_device,
    choose_precision,
    computing,
)
from autoencode.train.progress import TrainingBar
from autoencode.train.schedules import learning_rate
from autoencode.train.settings import Settings
from autoencode.train.validation import Validation

LOG_LINES = 300
VALIDATIONS = 20
# Looking at a number that lies on an accelerator makes the processor wait for it.
CHECK_EVERY = {"cpu": 1}
# Steps of a training that tracing alone would not pay for.
SHORTEST = 5_000


class Loop:
    """One training: a model, its optimiser, its batches, and the numbers that count it."""

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        data: Data,
        settings: Settings,
        folder: Path | None,
        progress: bool | None,
    ) -> None:
        self.settings, self.folder, self.progress = settings, folder, progress
        self.model, self.recipe, self.data = model, recipe, data
        self.device = choose_device(settings.device)
        self.precision = choose_precision(settings.precision, self.device)
        with torch.random.fork_rng(devices=[]):
            # Critics have weights of their own, and they too are the same for the same seed.
            torch.default_generator.manual_seed((settings.seed + 1) % 2**63)
            self.objective = Objective(model, recipe, model.sizes).to(self.device)
        self.optimizer = _adam(self.objective.model_parameters(), settings, settings.weight_decay)
        critics = list(self.objective.critics_parameters())
        self.critics_optimizer = _adam(critics, settings) if critics else None
        self.fitted_priors = [m for m in self.objective.modules() if isinstance(m, FittedPrior)]
        self.batches = Batches(
            data.train,
            conditioning(recipe, data.train, training=True),
            settings.batch_size,
            settings.seed,
            self.device,
            settings.labelled,
            settings.augment,
        )
        self.validation = Validation(
            data.validation.x, conditioning(recipe, data.validation), self.device
        )
        self.total = settings.total_steps(len(data.train))
        self.log_every = max(1, self.total // LOG_LINES)
        self.validate_every = settings.validate_every or max(1, self.total // VALIDATIONS)
        self.checkpoint_every = settings.checkpoint_every or max(1, self.total // VALIDATIONS)
        self.snapshots = (
            set(snapshot_steps(self.total, settings.snapshots)) if settings.snapshots else set()
        )
        self.check_every = CHECK_EVERY.get(self.device.type, 50)
        self.program: Step | None = None
        self.may_compile = self.compiles()
        self.step, self.seconds, self.best_loss, self.waited = 0, 0.0, math.inf, 0
        self.computing_seconds, self.compiling_seconds = 0.0, 0.0
        self.best: dict[str, Tensor] = {}
        if settings.tensorboard:
            summary_writer()
            if folder is None:
                raise RunError("TensorBoard's log needs a run folder", "Give one: --out runs/NAME.")
        refuse_single(self.objective, self.batches.batch_size)

    def compiles(self) -> bool:
        """Whether the step may be compiled; raises as `may_compile` does."""
        return may_compile(self.settings.compile, self.moves, self.device)

    @property
    def moves(self) -> bool:
        """Whether one update is not like the other, so that none is traced for all."""
        moving = self.objective.schedules or self.fitted_priors or self.critics_optimizer
        return bool(moving) or self.settings.clip is not None

    def restore(self) -> list[str]:
        """Goes back to the newest whole checkpoint; a sentence for each damaged one."""
        assert self.folder is not None
        meta, self.best, passed_over = restore_checkpoint(
            self.folder / "state", self.objective, self._optimizers()
        )
        self.step, self.seconds = meta["step"], meta["seconds"]
        self.computing_seconds = meta["computing_seconds"]
        best_loss, self.waited = meta["best_loss"], meta["waited"]
        self.best_loss = math.inf if best_loss is None else best_loss
        return passed_over

    def run(self) -> None:
        """Trains to the end, or to the early stop; the model then holds the weights to keep.

        Raises:
            Diverged: the loss is not finite.     Interrupted: a signal asked for a stop.
            ResourceError: the disk is full.
        """
        # Without a folder nothing could be saved, so Ctrl-C keeps its usual meaning.
        stop: AbstractContextManager[Any] = StopSignals() if self.folder else nullcontext()
        bar = TrainingBar(self.total, self.step, self.progress)
        with stop as signals, bar, self.running(bar.show):
            while not self.ended:
                self._compile(bar)
                # A signal ends the compiler too: a step not compiled would be another one.
                self._heed(signals)
                self._advance(signals)
                self.look()
                self._heed(signals)
                self.save()

    def _advance(self, signals: StopSignals | None) -> None:
        """Updates until there is something to look at, to compile or to heed."""
        steps = range(self.step + 1, self.step + 1 if self.may_compile else self.total)
        until = next(filter(self.looks, steps), steps.stop)
        began = time.perf_counter()
        with exact_products():
            while self.step < until and not (signals and signals.received):
                self.meter.add(self.update(), self.step)
                self.step += 1
        self.meter.seconds += time.perf_counter() - began

    @contextmanager
    def running(self, show: Callable[[Mapping[str, Any]], None]) -> Iterator[None]:
        """While updates are made; at the end the model holds the weights to keep.

        show: is told each line of the log.
        """
        log = self._log()

        def report(line: Mapping[str, Any]) -> None:
            show(line)
            if log is not None:
                log.write(line)

        self.report = report
        self._began = time.perf_counter() - self.seconds
        self.objective.train()
        if self.step == 0:
            self.checkpoint()
            self._save_snapshot()
        self.meter = Meter(self.log_every)
        try:
            yield
        finally:
            if log is not None:
                log.close()
        self.objective.apply_schedules(math.inf)
        if self.best:
            self.objective.load_state_dict(self.best)
        self.seconds = time.perf_counter() - self._began

    def summary(self) -> dict[str, Any]:
        """What was done so far, for the record."""
        images = self.step * self.batches.batch_size
        rate = images / self.computing_seconds if self.computing_seconds else 0.0
        return {
            "steps": self.step,
            "epochs": round(self.step / self.batches.per_epoch, 2),
            "seconds": round(self.seconds, 2),
            "images_per_second": round(rate),
            "device": self.device.type,
            "precision": str(self.precision).removeprefix("torch."),
            "compiling_seconds": round(self.compiling_seconds, 2),
        }

    @property
    def ended(self) -> bool:
        """Whether the last update was made, or enough validations brought nothing."""
        patience = self.settings.patience
        return self.step >= self.total or (patience is not None and self.waited >= patience)

    def looks(self, step: int) -> bool:
        """Whether anything is done after that many updates but to go on."""
        also = step % self.validate_every == 0 or step % self.checkpoint_every == 0
        return self.writes(step) or step in self.snapshots or also

    def writes(self, step: int) -> bool:
        """Whether a line of the log is written after that many updates."""
        return step % self.log_every == 0 or step == self.total

    def look(self) -> None:
        """What comes after an update: a frame of the film, a line of the log, a validation."""
        self._save_snapshot()
        if self.writes(self.step):
            self.seconds = time.perf_counter() - self._began
            self.computing_seconds += self.meter.seconds
            self.report(self._line())
            self.meter = Meter(self.log_every)
        if self.step % self.validate_every == 0 or self.step == self.total:
            self._validate()

    def save(self) -> None:
        """A checkpoint, where it is time for one."""
        if self.step % self.checkpoint_every == 0 and self.step < self.total:
            self.checkpoint()

    def _heed(self, signals: StopSignals | None) -> None:
        if signals is not None and signals.received:
            self._interrupted(signals.received)

    def _interrupted(self, signal: int) -> None:
        self.checkpoint()
        raise Interrupted(
            f"Stopped at step {self.step:,} of {self.total:,}; everything is saved",
            f"Continue: autoencode resume {self.folder}",
            signal=signal,
        )

    def _line(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "epoch": round(self.step / self.batches.per_epoch, 3),
            "seconds": round(self.seconds, 3),
            **self.meter.line(self.batches.batch_size),
            "lr": self.optimizer.lr,
        }

    def update(self) -> Stepped:
        """One update of the weights; `step`, and how exact products are, is left to the caller.

        Raises:
            Diverged: loss or gradient is not finite; the weights are as they were.
        """
        if self.program is not None:
            stepped = self.program(self.step)
            self._check(stepped.loss, stepped.terms)
            return stepped
        for optimizer in self._optimizers().values():
            optimizer.lr = self.rate(self.step)
        self.objective.apply_schedules(self.step)
        self._fit_priors()
        raw, known = self.batches[self.step]
        x = self.batches.look(raw)
        with computing(self.precision, self.device):
            output: LossOutput = self.objective(x, known)
        self._check(output.loss, output.terms)
        output.loss.backward()
        if self.settings.clip is not None:
            norm = nn.utils.clip_grad_norm_(self.objective.model_parameters(), self.settings.clip)
            self._check(norm, {"gradient": norm})
        self.optimizer.update()
        if self.critics_optimizer is not None:
            self._update_critics(self.critics_optimizer, output)
        terms = {name: term.detach() for name, term in output.terms.items()}
        return Stepped(output.loss.detach(), terms, lambda: _error(output))

    def rate(self, step: int) -> float:
        """The size of that step."""
        return learning_rate(self.settings, step, self.total)

    def _check(self, value: Tensor, told: Mapping[str, Tensor]) -> None:
        if self.step % self.check_every == 0 and not math.isfinite(value.item()):
            raise self.diverged(told)

    def _compile(self, bar: TrainingBar) -> None:
        """Compiles the step, once the optimiser holds its state, where that saves time."""
        if not self.may_compile or not self.optimizer.state:
            return
        self.may_compile = False
        began = time.perf_counter()
        always = self.settings.compile == "on"
        # Of the whole training, so that a resumed one decides alike.
        if not always and self.total < SHORTEST:
            return
        try:
            program = Step(self.objective, self.optimizer, self.batches, self.precision, self.rate)
            if always or program.saves() * self.total > program.costs():
                bar.say("compiling the step")
                program.compile()
                self.program = program
                self.compiling_seconds = time.perf_counter() - began
        except Exception as error:
            # The compiler is there to save time: where it cannot, the step goes on as it is.
            if always:
                raise not_compiled(error) from error

    def _fit_priors(self) -> None:
        """Fits the priors whose step this is; their part in the optimiser begins anew."""
        for prior in self.fitted_priors:
            if prior.after == self.step:
                fit_prior(self.model, prior, self.recipe, self.data, self.settings.seed)
                for parameter in prior.parameters():
                    self.optimizer.state.pop(parameter, None)

    def _update_critics(self, optimizer: Adam, output: LossOutput) -> None:
        with computing(self.precision, self.device):
            loss = self.objective.critics_loss(output.forward_pass)
        self._check(loss, {"critic": loss})
        # The model's own update has left gradients in the critics.
        optimizer.forget()
        loss.backward()
        optimizer.update()
        # And theirs in the model.
        self.optimizer.forget()

    def _optimizers(self) -> dict[str, Adam]:
        named = {"optimizer": self.optimizer, "critics": self.critics_optimizer}
        return {name: each for name, each in named.items() if each is not None}

    def _validate(self) -> None:
        # With the schedules at their end, so that early stopping compares alike.
        self.objective.apply_schedules(math.inf)
        found = self.validation.measure(self.objective)
        self.report({"step": self.step, "validation": found})
        if self.folder is not None:
            self.validation.write_strip(
                self.objective, self.folder / "figures" / "training", self.step
            )
        if self.settings.patience is None:
            return
        if found["loss"] < self.best_loss:
            self.best_loss, self.waited = found["loss"], 0
            self.best = {k: v.detach().clone() for k, v in self.objective.state_dict().items()}
        else:
            self.waited += 1

    def checkpoint(self) -> None:
        """Saves all that resuming needs; without a folder nothing.

        Raises:
            Diverged: a weight is not finite.     ResourceError: the disk is full.
        """
        if self.folder is None:
            return
        if not all(bool(p.isfinite().all()) for p in self.objective.parameters()):
            raise self.diverged({"weights": torch.tensor(math.nan)})
        meta = {
            "step": self.step,
            "seconds": time.perf_counter() - self._began,
            "computing_seconds": self.computing_seconds,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "waited": self.waited,
        }
        save_checkpoint(self.folder / "state", self.objective, self._optimizers(), self.best, meta)

    def _save_snapshot(self) -> None:
        if self.folder is not None and self.step in self.snapshots:
            save_snapshot(self.folder, self.model, self.step)

    def diverged(self, values: Mapping[str, Tensor]) -> Diverged:
        """That one of these numbers, [], is not finite, as an error."""
        bad = [name for name, value in values.items() if not math.isfinite(value.item())]
        named = f'"{bad[0]}" is {values[bad[0]].item()}' if bad else "the loss is not finite"
        kept = "" if self.folder is None else f"; the last good state is in {self.folder / 'state'}"
        return Diverged(
            f"Training diverged at step {self.step:,}: {named}{kept}",
            f"Try a smaller step size (--lr {self.settings.lr / 10:g}), a warm-up (--warmup 500) "
            "or gradient clipping (--clip 1).",
        )

    def _log(self) -> Log | None:
        if self.folder is None:
            return None
        return Log(self.folder / "log.jsonl", self.step, self.settings.tensorboard)


def _adam(
    parameters: Iterable[nn.Parameter], settings: Settings, weight_decay: float = 0.0
) -> Adam:
    betas = (0.9, settings.beta2)
    return Adam(parameters, lr=settings.lr, betas=betas, weight_decay=weight_decay)


def _error(output: LossOutput) -> Tensor:
    with torch.no_grad():
        return squared_error(output.forward_pass.px.mean, output.forward_pass.x)

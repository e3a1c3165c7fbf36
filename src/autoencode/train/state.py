"""The state of a training: all that changes from step to step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from autoencode.contract import FittedPrior
from autoencode.errors import Diverged
from autoencode.models.build import Model
from autoencode.models.linear_checks import linear_path
from autoencode.models.objective import Objective
from autoencode.models.recipe import Recipe
from autoencode.train.average import WeightAverage
from autoencode.train.distributed import TrainingGroup
from autoencode.train.optimizer import FusedAdamW
from autoencode.train.precision import choose_precision
from autoencode.train.schedules import learning_rate
from autoencode.train.settings import Settings

# Steps between two checks that the loss is finite. On an accelerator each check makes the
# processor wait for the device.
CHECK_EVERY = {"cpu": 1}
CHECK_EVERY_ELSEWHERE = 50


@dataclass
class TrainState:
    """A model, its optimisers, and the numbers that count a training.

    model: the model that is trained.   objective: the model and the terms of its loss.
    optimizer: of the model's weights.   critic_optimizer: of the weights of adversarial critics.
    fitted_priors: the priors that are fitted to the codes in the middle of the training.
    total_steps: updates in the whole training, those of a run that it continues included.
    step: updates that were made.
    folder: the folder of the run; None where nothing is saved.
    group: the processes that train it.
    check_every: steps between two checks that the loss is finite; 0 for no checks.
    first_loss: of training examples before the first step, see `final_checks`; None if unknown.
    seconds: wall-clock time so far.   computing_seconds: time of the updates alone.
    average: the moving average of the weights; None where it is not asked for.
    best_loss, best_weights: of the best validation so far, where they are kept.
    validations_without_improvement: validations since then.
    """

    model: Model
    objective: Objective
    optimizer: FusedAdamW
    critic_optimizer: FusedAdamW | None
    fitted_priors: list[FittedPrior]
    settings: Settings
    total_steps: int
    device: torch.device
    precision: torch.dtype
    folder: Path | None = None
    group: TrainingGroup = field(default_factory=TrainingGroup)
    check_every: int = 1
    step: int = 0
    first_loss: float | None = None
    seconds: float = 0.0
    computing_seconds: float = 0.0
    average: WeightAverage | None = None
    best_loss: float = math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    validations_without_improvement: int = 0

    @classmethod
    def create(
        cls,
        model: Model,
        recipe: Recipe,
        settings: Settings,
        examples: int,
        folder: Path | None = None,
        group: TrainingGroup | None = None,
    ) -> Self:
        """The state before the first step, on the device of the settings.

        examples: number of training examples.

        Raises:
            RecipeError: this machine lacks the device, or a term cannot be built.
        """
        group = group or TrainingGroup()
        device = group.device(settings.device)
        with torch.random.fork_rng(devices=[]):
            # Critics have weights of their own, and they too are the same for the same seed.
            torch.default_generator.manual_seed((settings.seed + 1) % 2**63)
            objective = Objective(model, recipe, model.sizes).to(device)
        if settings.freeze is not None:
            objective.freeze(settings.freeze)
        critics = list(objective.critics_parameters())
        decay = settings.weight_decay
        return cls(
            model,
            objective,
            _adamw(objective.model_parameters(), settings, decay),
            _adamw(critics, settings) if critics else None,
            [each for each in objective.modules() if isinstance(each, FittedPrior)],
            settings,
            settings.done_steps + settings.total_steps(examples),
            device,
            choose_precision(settings.precision, device),
            folder,
            group,
            CHECK_EVERY.get(device.type, CHECK_EVERY_ELSEWHERE),
            settings.done_steps,
            average=None if settings.ema is None else WeightAverage(objective, settings.ema),
        )

    @property
    def optimizers(self) -> dict[str, FusedAdamW]:
        """The optimisers by the names that checkpoints give them."""
        named = {"optimizer": self.optimizer, "critics": self.critic_optimizer}
        return {name: each for name, each in named.items() if each is not None}

    @property
    def changes_between_steps(self) -> bool:
        """Whether one update differs from the next in more than its batch and learning rate."""
        changes = self.objective.schedules or self.fitted_priors or self.critic_optimizer
        in_parts = self.settings.accumulate > 1
        return bool(changes) or self.settings.clip is not None or in_parts

    @property
    def keeps_best(self) -> bool:
        """Whether the weights of the best validation are kept, instead of the last ones.

        They are with early stopping, and for a model that begins at PCA: it must not end worse.
        """
        return self.settings.patience is not None or linear_path(self.objective.recipe) == "pca"

    @property
    def is_done(self) -> bool:
        """Whether the last update was made, or early stopping ends the training."""
        patience = self.settings.patience
        stopped = patience is not None and self.validations_without_improvement >= patience
        return self.step >= self.total_steps or stopped

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step; its schedule begins with this training."""
        done = self.settings.done_steps
        return learning_rate(self.settings, step - done, self.total_steps - done)

    def apply_schedules(self) -> None:
        """Sets the learning rate and all scheduled numbers to their values at this step."""
        self.optimizer.lr = self.learning_rate(self.step)
        if self.critic_optimizer is not None:
            self.critic_optimizer.lr = self.optimizer.lr
        self.objective.apply_schedules(self.step)

    def averaged(self) -> AbstractContextManager[None]:
        """The model has its averaged weights inside, if they are averaged."""
        return nullcontext() if self.average is None else self.average.in_use()

    @property
    def checks(self) -> bool:
        """Whether numbers are checked at this step."""
        return self.check_every > 0 and self.step % self.check_every == 0

    def check_finite(self, value: Tensor, named: Mapping[str, Tensor]) -> None:
        """Refuses a value, [], that is not finite; `named` are the numbers to name, each [].

        Raises:
            Diverged: it is not finite.
        """
        if self.checks and not math.isfinite(value.item()):
            raise self.diverged(named)

    def diverged(self, named: Mapping[str, Tensor]) -> Diverged:
        """The error that says which of these numbers, each [], is not finite."""
        bad = [name for name, value in named.items() if not math.isfinite(value.item())]
        what = f'"{bad[0]}" is {named[bad[0]].item()}' if bad else "the loss is not finite"
        saved = f"; the last good state is in {self.folder / 'state'}" if self.folder else ""
        return Diverged(
            f"Training diverged at step {self.step:,}: {what}{saved}",
            f"Try a smaller learning rate (--lr {self.settings.lr / 10:g}), a warm-up "
            "(--warmup 500) or gradient clipping (--clip 1); in Python "
            f"lr={self.settings.lr / 10:g}, warmup=500 or clip=1.",
        )


def _adamw(
    parameters: Iterable[nn.Parameter], settings: Settings, weight_decay: float = 0.0
) -> FusedAdamW:
    betas = (0.9, settings.beta2)
    return FusedAdamW(parameters, settings.lr, betas, weight_decay=weight_decay)

"""Checks at the end of a training: whether it failed, and whether the model learned anything."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import kl_divergence

from autoencode.contract import Adversary
from autoencode.data import Data, Split, scaled, still
from autoencode.errors import Diverged, RecipeError
from autoencode.models.conditions import conditioning
from autoencode.models.inference import in_batches
from autoencode.models.recipe import Recipe
from autoencode.parts.terms.normals import normals_of
from autoencode.train.state import TrainState
from autoencode.train.validation import Validation

# Training has exploded if the loss rises by more than this many times its first value, which
# counts as one nat for each number of an example at least: a loss may begin near 0.
EXPLODED = 10.0
# Training has failed if the squared error of training examples is more than this many times that
# of the mean example, or of the median example if that is larger: an absolute error ends there.
FAILED = 1.1
# Below this squared error for each number of an example (1 % of the range of values, squared), a
# failure cannot be told from rounding.
NEGLIGIBLE_ERROR = 1e-4
# A model has learned no more than the mean example if its squared error is above this share of
# the mean example's.
LEARNED_NOTHING = 0.99
# If the same holds for validation examples only, and the error of training examples is below this
# share, the model overfits.
OVERFITS = 0.9
# A latent dimension with less KL, in nats, carries no information; as in evaluation.thresholds.
MIN_ACTIVE_KL_NATS = 0.01
# Shorter trainings are tries: of these only explosions are an error, and nothing is a warning.
MIN_STEPS_TO_WARN, MIN_STEPS_TO_FAIL = 500, 1_000
# Examples of each part that the checks measure, and training examples of the mean and the median.
MAX_MEASURED, MAX_AVERAGED = 250, 2_000


class FinalChecks:
    """Compares the end of a training with its beginning and with the mean training example."""

    def __init__(self, recipe: Recipe, data: Data, state: TrainState) -> None:
        self.recipe, self.data, self.state = recipe, data, state
        self.train = _few(recipe, data.train, state.device, training=True)

    def start(self) -> None:
        """Remembers the loss before the first step."""
        self.state.objective.apply_schedules(math.inf)
        self.state.first_loss = self._loss(self.train.measure(self.state.objective))

    def end(self) -> Iterator[str]:
        """A sentence for each thing that the trained model lacks.

        Raises:
            Diverged: the training failed.
        """
        state, objective = self.state, self.state.objective
        steps = state.step - state.settings.done_steps
        found = self.train.measure(objective)
        self._refuse_explosion(self._loss(found))
        if steps < MIN_STEPS_TO_WARN:
            return
        mean, worst = self._constant_errors()
        error = found["squared_error"]
        reconstructs = any(term.kind == "reconstruction" for term in self.recipe.terms.values())
        limit = FAILED * worst + NEGLIGIBLE_ERROR * math.prod(self.data.shape)
        if steps >= MIN_STEPS_TO_FAIL and reconstructs and error > limit:
            raise self._failed(steps, error, mean)
        validation = _few(self.recipe, self.data.validation, state.device)
        of_validation = validation.measure(objective)["squared_error"]
        if self._collapsed(validation):
            yield self._without_active()
        elif of_validation > LEARNED_NOTHING * mean:
            yield self._learned_nothing(steps, error, of_validation, mean)

    def _loss(self, found: dict[str, Any]) -> float:
        """The loss without the terms that have a critic, which may be of any size.

        All schedules are at their end, so that losses are comparable.
        """
        objective = self.state.objective
        critics = [name for name, term in objective.named_terms() if isinstance(term, Adversary)]
        of_critics = sum(objective.weights[name] * found["terms"][name] for name in critics)
        return float(found["loss"] - of_critics)

    def _refuse_explosion(self, last: float) -> None:
        first = self.state.first_loss
        if first is None:  # resumed from a checkpoint of an older version
            return
        scale = max(abs(first), math.prod(self.data.shape))
        if last - first <= EXPLODED * scale:  # False where the loss is not finite
            return
        raise self._diverged(
            f"Training diverged: the loss of training examples was {first:.4g} before the first "
            f"step and is {last:.4g} after step {self.state.step:,}"
        )

    def _failed(self, steps: int, error: float, mean: float) -> Diverged:
        return self._diverged(
            f"Training failed: after {steps:,} steps the squared error of training examples is "
            f"{error:.4g}, and that of their mean is {mean:.4g}"
        )

    def _diverged(self, what: str) -> Diverged:
        folder = self.state.folder
        kept = f"; the weights are in {folder / 'weights.safetensors'}" if folder else ""
        return Diverged(what + kept, f"{self._other_rate()}.")

    def _other_rate(self) -> str:
        """The recipe's learning rate where it was changed, else a smaller one."""
        lr = self.state.settings.lr
        usual = type(self.state.settings).of(self.recipe, {}).lr
        if lr < usual:
            return f"Try a larger learning rate (--lr {usual:g}) or more steps (--steps)"
        smaller = usual if lr > usual else lr / 10
        return f"Try a smaller learning rate (--lr {smaller:g}) or a warm-up (--warmup 500)"

    def _constant_errors(self) -> tuple[float, float]:
        """Squared error of the mean training example, and of the worse of mean and median.

        Summed over pixels, averaged over the training examples that the checks measure.
        """
        rows = _spread(len(self.data.train), MAX_AVERAGED)
        x = scaled(self.data.train.x[rows]).flatten(1)
        measured = scaled(self.train.x).flatten(1).cpu()
        mean, median = (
            (measured - constant).square().sum(1).mean().item()
            for constant in (x.mean(0), x.median(0).values)
        )
        return mean, max(mean, median)

    def _collapsed(self, validation: Validation) -> bool:
        """Whether there is a posterior, and no dimension of it differs from the prior."""
        model = self.state.model

        def summed(x: Tensor, context: Tensor | None) -> Tensor | None:
            try:
                q = normals_of(model.encode(x, context).q, "The posterior")
                p = normals_of(model.prior(context), "The prior")
            except RecipeError:  # of another kind: flows, mixtures, the sphere
                return None
            return kl_divergence(q, p).sum(0).flatten()

        found = in_batches(model, validation.x, summed, "KL", context=validation.context)
        sums = [nats for nats in found if nats is not None]
        if not sums:
            return False
        means = torch.stack(sums).sum(0) / len(validation.x)
        return bool((means < MIN_ACTIVE_KL_NATS).all())

    def _without_active(self) -> str:
        steps = self.state.total_steps - self.state.settings.done_steps
        weights = {n: each.weight for n, each in self.recipe.terms.items() if each.kind == "kl"}
        fix = f"{self._other_rate()}."
        for name, weight in weights.items():
            fix = (
                f"Lower the weight of the KL, --set terms.{name}.weight={weight / 4:g}, or let it "
                f"rise: --set schedules.terms.{name}.weight=linear:0,{max(1, steps // 2)}."
            )
        return (
            "The model has no active latent dimension: each has a KL below "
            f"{MIN_ACTIVE_KL_NATS} nats on the validation data, so every code is the prior and "
            f"every reconstruction the mean example. {fix}"
        )

    def _learned_nothing(self, steps: int, error: float, validation: float, mean: float) -> str:
        if error < OVERFITS * mean:
            return (
                f"The model overfits: its squared error is {error:.4g} on training examples and "
                f"{validation:.4g} on validation examples, and that of the mean training example "
                f"is {mean:.4g}. Use more data, or stop earlier: --patience 5."
            )
        return (
            f"The model has learned no more than the mean example after {steps:,} steps: its "
            f"squared error is {validation:.4g} on validation examples, and that of the mean "
            f"training example is {mean:.4g}. {self._other_rate()}, or weaker penalties."
        )


def _spread(n: int, count: int) -> Tensor:
    """At most `count` positions, evenly spread over 0 … n − 1, for data that are in order."""
    return torch.linspace(0, n - 1, min(n, count)).round().long()


def _few(
    recipe: Recipe, part: Split, device: torch.device, *, training: bool = False
) -> Validation:
    """At most `MAX_MEASURED` examples of a part of the data."""
    context = conditioning(recipe, part, training=training)
    rows = _spread(len(part), MAX_MEASURED)
    few = still(replace(part, x=part.x[rows]))
    return Validation(few.x, None if context is None else context[rows], device)

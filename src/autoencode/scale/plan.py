"""The plan of a sweep, its trials and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autoencode.data import Data
from autoencode.errors import RecipeError
from autoencode.io.progress import say
from autoencode.models.default_likelihood import AUTO, default_likelihood
from autoencode.models.recipe import Recipe
from autoencode.models.run import Run, open_run
from autoencode.scale.objectives import SweepMetric, check_measured, sweep_metrics
from autoencode.scale.space import Space, combinations, label_of, space_of
from autoencode.train import Settings

SweepState = Literal["running", "complete", "pruned", "failed"]


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep does.

    recipe, data, settings: what all trials have.   space: what is varied, see `space_of`.
    metrics: what it minimises or maximises.   trials: the number of trials.
    seeds: trainings of each trial, whose metrics are averaged.   prune: end hopeless trainings.
    """

    recipe: Recipe
    data: Data
    space: Space
    metrics: tuple[SweepMetric, ...]
    trials: int = 20
    seeds: int = 1
    prune: bool = True
    settings: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        data: Data,
        vary: Mapping[str, Any] | Sequence[str],
        metric: str | Sequence[str] = "squared_error",
        *,
        settings: Mapping[str, Any],
        **numbers: Any,
    ) -> SweepPlan:
        """The plan of these arguments, checked before the first training; see `sweep`.

        Raises:
            RecipeError, DataError: it has no meaning.
        """
        Settings.of(recipe, settings)
        space = space_of(recipe, vary, settings)
        metrics = sweep_metrics(metric, recipe, space)
        if recipe.likelihood.kind == AUTO and not data.is_table and "likelihood" not in space:
            # As every training would, but said once.
            likelihood, notice = default_likelihood(data)
            recipe = recipe.but(likelihood=likelihood)
            say(notice)
        for name, value in numbers.items():
            if name in ("trials", "seeds") and not (isinstance(value, int) and value >= 1):
                raise RecipeError(f"{name} must be 1 or more, and is {value}")
        check_measured(metrics, recipe, data, settings)
        size = combinations(space)
        if size is not None and size < numbers.get("trials", cls.trials):
            numbers["trials"] = size
        return cls(recipe, data, space, metrics, settings=settings, **numbers)

    @property
    def first_seed(self) -> int:
        """The seed of the first training of each trial, and of the sampler."""
        return Settings.of(self.recipe, self.settings or {}).seed

    @property
    def prunes(self) -> bool:
        """Whether trainings are pruned: by one metric that validations measure, of one seed."""
        return self.prune and len(self.metrics) == self.seeds == 1 and self.metrics[0].is_validated

    def record(self) -> dict[str, Any]:
        """What two calls must have in common to be one sweep, as JSON."""
        return {
            "recipe": self.recipe.to_dict(),
            "data": {"name": self.data.name, "fingerprint": self.data.fingerprint},
            "vary": {name: str(each) for name, each in self.space.items()},
            "metric": [metric.name for metric in self.metrics],
            "seeds": self.seeds,
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in {**(self.settings or {}), "seed": self.first_seed}.items()
            },
        }

    def sentence(self) -> str:
        """What the sweep varies and what it chooses by."""
        varied = ", ".join(f"{name}={each}" for name, each in self.space.items())
        goals = " and ".join(f"{metric.better} {metric.name}" for metric in self.metrics)
        every = ", every combination," if combinations(self.space) == self.trials else ""
        return (
            f"{self.trials:,} trial{'s' if self.trials > 1 else ''} of {self.recipe.name} on "
            f"{self.data.name}{every} vary {varied}, for {goals} on "
            f"{len(self.data.validation):,} validation examples"
            f"{f', mean of {self.seeds} seeds' if self.seeds > 1 else ''}"
        )


@dataclass(frozen=True)
class SweepTrial:
    """One trial of a sweep.

    values: the value of each name that is varied.   metrics: by name, on the validation part;
    empty unless the trial is complete.   folders: of its runs, one for each seed.
    recipe, settings: what `fit` takes to train it again.   error: why it was pruned or failed.
    """

    number: int
    state: SweepState
    values: Mapping[str, Any]
    metrics: Mapping[str, float]
    recipe: Recipe
    settings: Mapping[str, Any]
    folders: tuple[Path, ...]
    error: str = ""

    @property
    def runs(self) -> list[Run]:
        """Its runs.

        Raises:
            RunError: one of them was deleted.
        """
        return [open_run(folder) for folder in self.folders]

    def words(self) -> str:
        """What is varied, with its values: "latent=8, lr=0.001"."""
        return ", ".join(
            f"{name}={f'{value:.4g}' if isinstance(value, float) else label_of(value)}"
            for name, value in self.values.items()
        )


@dataclass(frozen=True)
class SweepResult:
    """The trials of a sweep.

    folder: of the sweep, with `report.html`.
    best: the best trial; with several metrics the Pareto front, best first by the first metric.
    """

    folder: Path
    metrics: tuple[SweepMetric, ...]
    trials: Sequence[SweepTrial]
    best: Sequence[SweepTrial]

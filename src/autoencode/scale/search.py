"""Sweeps: many trainings of one recipe with other hyperparameters, chosen on validation data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from autoencode.data import Data, load_data
from autoencode.errors import (
    AutoencodeError,
    DataError,
    Diverged,
    Interrupted,
    Pruned,
    RecipeError,
    ResourceError,
    RunError,
)
from autoencode.io.progress import say
from autoencode.io.signals import StopSignals
from autoencode.models.default_likelihood import AUTO, default_likelihood
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.models.run import Run, open_run
from autoencode.scale.objectives import (
    SweepMetric,
    check_measured,
    sweep_metrics,
    values_of,
)
from autoencode.scale.pruning import MedianRule, median_rule
from autoencode.scale.space import Space, combinations, label_of, space_of, with_values
from autoencode.scale.store import ERROR, SweepStore, opened
from autoencode.train import Job, Outcome, Settings, fit_many
from autoencode.train.many import jobs as many

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TRIALS = "trials"
State = Literal["running", "complete", "pruned", "failed"]
# After so many trials that have all failed, the sweep ends.
MAX_FAILED = 5
# Errors of a training that its hyperparameters may cause: the trial fails, and the sweep goes on.
OF_TRIAL = (Diverged, RecipeError, DataError, ResourceError)


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
                for name, value in (self.settings or {}).items()
            },
        }

    def sentence(self) -> str:
        """What the sweep varies and what it chooses by."""
        varied = ", ".join(f"{name}={each}" for name, each in self.space.items())
        goals = " and ".join(
            f"{'lower' if m.better == 'lower' else 'higher'} {m.name}" for m in self.metrics
        )
        every = ", every combination," if combinations(self.space) == self.trials else ""
        return (
            f"{self.trials:,} trials of {self.recipe.name} on {self.data.name}{every} vary {varied}, for "
            f"{goals} on {len(self.data.validation):,} validation examples"
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
    state: State
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


def sweep(
    recipe: Recipe | str,
    data: Data | Any,
    *,
    vary: Mapping[str, Any] | Sequence[str],
    metric: str | Sequence[str] = "squared_error",
    trials: int = 20,
    out: str | Path = "runs/sweep",
    latent: int | None = None,
    workers: int | None = None,
    storage: str | None = None,
    seeds: int = 1,
    prune: bool = True,
    seed: int = 0,
    **settings: Any,
) -> SweepResult:
    """Searches hyperparameters: trains a recipe with many values and chooses on validation data.

    Optuna's TPE sampler chooses the values of each trial. The same call continues a sweep that was
    stopped, and adds trials to one that is done. The test part of the data is not used.

    recipe, data, latent, settings: as of `fit`.
    vary: name -> values: "2..64", "1e-4..1e-2:log", "[256]|[512, 256]", or a list. A name is a
        setting, "lr", or an address of the recipe, "terms.kl.weight".
    metric: a metric of `evaluate`, measured on the validation part; "kl" is short for "terms.kl".
        Several give the trials that no other trial beats in all of them, the Pareto front.
    trials: the number of trials, those of earlier calls included.
    out: the folder of the sweep; each trial has a run folder in `out/trials`.
    workers: as of `fit_many`; so many trials are chosen at a time.
    storage: the URL of a database for the trials; None is a file in `out`.
    seeds: trainings of each trial, whose metrics are averaged.
    prune: end trainings that are worse than the median of the others, by one metric that
        validations measure (squared_error, loss and terms).
    seed: of the sampler and of the first training of each trial.

    Raises:
        RecipeError, DataError: the sweep has no meaning as it is asked for.
        RunError: the folder holds something else, or no trial has succeeded.
        AutoencodeError: Optuna is not installed.
        Interrupted: Ctrl-C or SIGTERM, after saving.
    """
    recipe = recipe_named(recipe) if isinstance(recipe, str) else recipe
    recipe = recipe if latent is None else recipe.but(latent=latent)
    loaded = data if isinstance(data, Data) else load_data(data)
    plan = SweepPlan.of(
        recipe,
        loaded,
        vary,
        metric,
        settings={**settings, "seed": seed},
        trials=trials,
        seeds=seeds,
        prune=prune,
    )
    return run_sweep(plan, Path(out), workers=workers, storage=storage)


def python_call(plan: SweepPlan, trial: SweepTrial) -> str:
    """The call that trains a trial again."""
    return f"ae.fit(trial.recipe, data, **trial.settings)  # trial = sweep.trials[{trial.number}]"


def run_sweep(
    plan: SweepPlan,
    folder: Path,
    *,
    workers: int | None = None,
    storage: str | None = None,
    on_line: Callable[[str], None] = say,
    again: Callable[[SweepPlan, SweepTrial], str] = python_call,
) -> SweepResult:
    """Carries out the plan of a sweep; see `sweep`.

    on_line: called with one line of text for the sweep, for each trial and for the best one.
    again: the command or call that trains a trial again.
    """
    from autoencode.scale.page import write_sweep_report

    with opened(folder, plan.record(), plan.space, plan.metrics, storage) as store:
        progress = _Progress(plan, folder, store, workers, on_line)
        progress.introduce()
        try:
            while progress.remaining() > 0 and not progress.only_fails():
                progress.next_trials()
        except Interrupted as stopped:
            done = plan.trials - progress.remaining()
            write_sweep_report(plan, progress.result(), store, again)
            raise Interrupted(
                f"Stopped with {done} of {plan.trials} trials done; everything is saved",
                "Continue: the same command, or the same call.",
                signal=stopped.exit_code - 128,
            ) from stopped
        result = progress.result()
        path = write_sweep_report(plan, result, store, again)
    if not result.best:
        errors = [trial.error for trial in result.trials if trial.error]
        raise RunError(f"None of the {len(result.trials)} trials succeeded; the first: {errors[0]}")
    for trial in result.best if len(plan.metrics) > 1 else result.best[:1]:
        figures = ", ".join(f"{name} {value:.6g}" for name, value in trial.metrics.items())
        on_line(f"best: {figures} on validation, {trial.words()}: {trial.folders[0]}")
    on_line(f"train it again: {again(plan, result.best[0])}")
    on_line(f"report: {path}")
    return result


class _Progress:
    """A sweep at work."""

    def __init__(
        self,
        plan: SweepPlan,
        folder: Path,
        store: SweepStore,
        workers: int | None,
        on_line: Callable[[str], None],
    ) -> None:
        self.plan, self.folder, self.store = plan, folder, store
        self.workers, self.on_line = workers, on_line

    def introduce(self) -> None:
        """Says what the sweep varies, what it continues, and whether it prunes."""
        plan, found = self.plan, self.store.trials()
        self.on_line(plan.sentence())
        if found:
            finished = sum(trial.state.is_finished() for trial in found)
            self.on_line(
                f"continuing {self.folder}: {finished} trials are done, "
                f"{len(found) - finished} were interrupted and go on"
            )
        if plan.prune and not plan.prunes:
            why = "of several metrics" if len(plan.metrics) > 1 else "of several seeds"
            if len(plan.metrics) == plan.seeds == 1:
                why = f"by {plan.metrics[0].name}, which validations do not measure"
            self.on_line(f"no trial is pruned: trainings are not pruned {why}")

    def remaining(self) -> int:
        """The number of trials that are not finished or not even begun."""
        return self.plan.trials - sum(trial.state.is_finished() for trial in self.store.trials())

    def only_fails(self) -> bool:
        """Whether many trials have failed and none is complete: the next ones would fail too."""
        states = [trial.state.name for trial in self.store.trials() if trial.state.is_finished()]
        return len(states) >= MAX_FAILED and set(states) == {"FAIL"}

    def next_trials(self) -> None:
        """Trains as many trials as there are workers for, those that were interrupted first.

        All of them are told at the end, in their order: so neither the trials that follow nor
        pruning depends on which training was the fastest.
        """
        with StopSignals() as signals:
            batch = [trial for trial in self.store.trials() if not trial.state.is_finished()]
            while len(batch) < min(self._at_a_time(), self.remaining()):
                self.store.ask(self.plan.first_seed, self.plan.trials)
                batch = [trial for trial in self.store.trials() if not trial.state.is_finished()]
            jobs, rule = {}, self._rule()
            for trial in batch:
                try:
                    jobs[trial.number] = self._jobs(trial, rule)
                except RecipeError as error:  # values that do not go together
                    self._fail(trial, error)
        if signals.received is not None:
            raise Interrupted("Stopped", signal=signals.received)
        if not jobs:
            return
        outcomes = iter(
            fit_many(
                [job for each in jobs.values() for job in each],
                workers=self.workers,
                on_trained=partial(values_of, self.plan.metrics),
            )
        )
        for trial in batch:
            if trial.number in jobs:
                self._tell(trial, [next(outcomes) for _ in jobs[trial.number]])

    def result(self) -> SweepResult:
        """All trials so far."""
        trials = [self._trial(each) for each in self.store.trials()]
        complete = [trial for trial in trials if trial.state == "complete"]
        front = [a for a in complete if not any(self._beats(b, a) for b in complete)]
        front.sort(key=lambda trial: (self._costs(trial), trial.number))
        best = front if len(self.plan.metrics) > 1 else front[:1]
        return SweepResult(self.folder, self.plan.metrics, trials, best)

    def _at_a_time(self) -> int:
        count = self.workers
        if count is None:
            job = Job(self.plan.recipe, self.plan.data, self.folder, self.plan.settings or {})
            count = many.default_workers([job])
        return max(1, count // self.plan.seeds)

    def _rule(self) -> MedianRule | None:
        if not self.plan.prunes:
            return None
        complete = [trial for trial in self.store.trials() if trial.state.name == "COMPLETE"]
        return median_rule(self.plan.metrics[0], [trial.intermediate_values for trial in complete])

    def _jobs(self, trial: FrozenTrial, rule: MedianRule | None) -> list[Job]:
        recipe, settings = self._configuration(trial)
        return [
            Job(recipe, self.plan.data, out, {**settings, "seed": seed}, on_validation=rule)
            for seed, out in enumerate(self._folders(trial), self.plan.first_seed)
        ]

    def _configuration(self, trial: FrozenTrial) -> tuple[Recipe, dict[str, Any]]:
        plan = self.plan
        return with_values(plan.recipe, plan.settings or {}, self.store.values(trial))

    def _folders(self, trial: FrozenTrial) -> tuple[Path, ...]:
        name = self.folder / TRIALS / f"{trial.number:05d}"
        if self.plan.seeds == 1:
            return (name,)
        first = self.plan.first_seed
        return tuple(
            name.with_name(f"{name.name}-{seed}") for seed in range(first, first + self.plan.seeds)
        )

    def _tell(self, trial: FrozenTrial, outcomes: Sequence[Outcome]) -> None:
        errors = [outcome.error for outcome in outcomes if outcome.error is not None]
        if len(self.plan.metrics) == 1:
            self.store.report(trial, self._history(outcomes[0].job.out))
        for error in errors:
            if isinstance(error, Pruned):
                self.store.prune(trial, str(error))
                self._say(trial, f"pruned: {error.what}")
                return
            if not isinstance(error, OF_TRIAL):
                raise error
            self._fail(trial, error)
            return
        columns = zip(*(outcome.result for outcome in outcomes), strict=True)
        values = [fmean(column) for column in columns]
        self.store.complete(trial, values)
        names = [metric.name for metric in self.plan.metrics]
        self._say(trial, ", ".join(f"{n} {v:.6g}" for n, v in zip(names, values, strict=True)))

    def _history(self, folder: Path) -> dict[int, float]:
        """The metric at the validations of a training, by step; empty where there is none."""
        metric, found = self.plan.metrics[0], {}
        try:
            lines = open_run(folder).log()
        except AutoencodeError:  # it failed before it had a folder
            return {}
        for line in lines:
            if (value := metric.validated(line.get("validation", {}))) is not None:
                found[int(line["step"])] = value
        return found

    def _fail(self, trial: FrozenTrial, error: AutoencodeError) -> None:
        self.store.fail(trial, str(error))
        self._say(trial, f"failed: {error.what}")

    def _say(self, trial: FrozenTrial, words: str) -> None:
        done = self.plan.trials - self.remaining()
        values = self._trial(trial).words()
        self.on_line(f"[{done}/{self.plan.trials}] trial {trial.number}, {values}: {words}")

    def _trial(self, trial: FrozenTrial) -> SweepTrial:
        states: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        state = states.get(trial.state.name, "running")
        values = self.store.values(trial)
        try:
            recipe, settings = self._configuration(trial)
        except RecipeError:  # why it failed
            recipe, settings = self.plan.recipe, dict(self.plan.settings or {})
        names = [metric.name for metric in self.plan.metrics]
        metrics = dict(zip(names, trial.values, strict=True)) if state == "complete" else {}
        error = trial.user_attrs.get(ERROR, "")
        folders = self._folders(trial)
        return SweepTrial(trial.number, state, values, metrics, recipe, settings, folders, error)

    def _costs(self, trial: SweepTrial) -> tuple[float, ...]:
        """The metrics of a trial, signed so that lower is better."""
        signs = [1 if metric.better == "lower" else -1 for metric in self.plan.metrics]
        return tuple(s * v for s, v in zip(signs, trial.metrics.values(), strict=True))

    def _beats(self, first: SweepTrial, second: SweepTrial) -> bool:
        """Whether a trial is nowhere worse than another, and better in one metric."""
        pairs = list(zip(self._costs(first), self._costs(second), strict=True))
        return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

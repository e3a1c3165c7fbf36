"""A sweep at work: trials are chosen, trained and recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from autoencode.errors import (
    AutoencodeError,
    DataError,
    Diverged,
    Interrupted,
    Pruned,
    RecipeError,
    ResourceError,
)
from autoencode.io.signals import StopSignals
from autoencode.models.recipe import Recipe
from autoencode.models.run import open_run
from autoencode.scale.jobs import Job, Outcome
from autoencode.scale.many import fit_many
from autoencode.scale.objectives import values_of
from autoencode.scale.plan import SweepPlan, SweepResult, SweepState, SweepTrial
from autoencode.scale.pruning import MedianRule, median_rule
from autoencode.scale.space import with_values
from autoencode.scale.store import ERROR, SweepStore

if TYPE_CHECKING:
    from distributed import Client
    from optuna.trial import FrozenTrial

TRIALS = "trials"
# After so many trials that have all failed, the sweep ends.
MAX_FAILED = 5
# Errors of a training that its hyperparameters may cause: the trial fails, and the sweep goes on.
OF_TRIAL = (Diverged, RecipeError, DataError, ResourceError)


class SweepWork:
    """A sweep at work: it chooses trials, trains them and records their metrics."""

    def __init__(
        self,
        plan: SweepPlan,
        folder: Path,
        store: SweepStore,
        workers: int,
        cluster: Client | None,
        on_line: Callable[[str], None],
    ) -> None:
        self.plan, self.folder, self.store = plan, folder, store
        self.workers, self.cluster, self.on_line = workers, cluster, on_line

    def introduce(self) -> None:
        """Says what the sweep varies, what it continues, and whether it prunes."""
        plan, found = self.plan, self.store.trials()
        self.on_line(plan.sentence())
        if found:
            finished = sum(trial.state.is_finished() for trial in found)
            self.on_line(
                f"continuing {self.folder}: {finished} of its trials done, "
                f"{len(found) - finished} interrupted, which go on from their checkpoints"
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

        All of them are recorded at the end, in their order: so neither the trials that follow nor
        pruning depends on which training was the fastest.
        """
        with StopSignals() as signals:
            while len(self.store.unfinished()) < min(self._at_a_time(), self.remaining()):
                self.store.ask(self.plan.first_seed, self.plan.trials)
            batch = self.store.unfinished()
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
                cluster=self.cluster,
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
        return max(1, self.workers // self.plan.seeds)

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
                self._say(trial, error.what[0].lower() + error.what[1:])
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
        states: dict[str, SweepState] = {
            "COMPLETE": "complete",
            "PRUNED": "pruned",
            "FAIL": "failed",
        }
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

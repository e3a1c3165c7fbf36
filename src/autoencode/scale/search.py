"""Sweeps: many trainings of one recipe with other hyperparameters, chosen on validation data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoencode.data import Data, load_data
from autoencode.errors import Interrupted, RunError
from autoencode.io.progress import say
from autoencode.models.recipe import Recipe
from autoencode.models.recipes.table import recipe_named
from autoencode.scale.jobs import Job, default_workers
from autoencode.scale.page import write_sweep_report
from autoencode.scale.plan import SweepPlan, SweepResult, SweepTrial
from autoencode.scale.store import opened
from autoencode.scale.work import SweepWork

if TYPE_CHECKING:
    from distributed import Client


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
    cluster: str | Client | None = None,
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
    workers, cluster: as of `fit_many`; as many trials are chosen at a time as there are workers.
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

    >>> import autoencode as ae
    >>> found = ae.sweep("ae", "digits", vary={"latent": "2..3"}, steps=5, workers=1)
    >>> [trial.state for trial in found.trials], found.best[0].runs[0].status
    (['complete', 'complete'], 'done')
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
    return run_sweep(plan, Path(out), workers=workers, cluster=cluster, storage=storage)


@contextmanager
def _workers(
    plan: SweepPlan, folder: Path, workers: int | None, cluster: str | Client | None
) -> Iterator[tuple[int, Client | None]]:
    """How many trainings run at a time, and where; the same processes for all trials."""
    count = workers or default_workers([Job(plan.recipe, plan.data, folder, plan.settings or {})])
    if cluster is None and count == 1:
        yield 1, None
        return
    from autoencode.scale.cluster import connected

    with connected(cluster, count) as client:
        there = len(client.scheduler_info(n_workers=-1)["workers"])
        yield count if workers or cluster is None else max(1, there), client


def python_call(plan: SweepPlan, trial: SweepTrial) -> str:
    """The call that trains the best trial again."""
    return "ae.fit(found.best[0].recipe, data, **found.best[0].settings)"


def run_sweep(
    plan: SweepPlan,
    folder: Path,
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
    storage: str | None = None,
    on_line: Callable[[str], None] = say,
    again: Callable[[SweepPlan, SweepTrial], str] = python_call,
) -> SweepResult:
    """Carries out the plan of a sweep; see `sweep`.

    on_line: called with one line of text for the sweep, for each trial and for the best one.
    again: the command or call that trains a trial again.
    """
    with (
        opened(folder, plan.record(), plan.space, plan.metrics, storage) as store,
        _workers(plan, folder, workers, cluster) as (count, client),
    ):
        work = SweepWork(plan, folder, store, count, client, on_line)
        work.introduce()
        try:
            while work.remaining() > 0 and not work.only_fails():
                work.next_trials()
        except Interrupted as stopped:
            done = plan.trials - work.remaining()
            write_sweep_report(plan, work.result(), store, again)
            raise Interrupted(
                f"Stopped with {done} of {plan.trials} trials done; everything is saved",
                "Continue: the same command, or the same call.",
                signal=stopped.exit_code - 128,
            ) from stopped
        result = work.result()
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

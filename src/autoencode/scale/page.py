"""The report of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autoencode.errors import AutoencodeError
from autoencode.models.run import open_run
from autoencode.report.figures.sweep.base import ShownMetric, ShownTrial, SweepView
from autoencode.report.pages.details import Detail
from autoencode.report.pages.sweep import SweepPage, write_sweep_page
from autoencode.scale.plan import SweepPlan, SweepResult, SweepTrial
from autoencode.scale.space import Choices
from autoencode.scale.store import SweepStore
from autoencode.train.run_folder import environment

# Complete trials that an estimate of the importances needs.
MIN_IMPORTANCES = 5


def write_sweep_report(
    plan: SweepPlan,
    result: SweepResult,
    store: SweepStore,
    again: Callable[[SweepPlan, SweepTrial], str],
) -> Path:
    """Writes `report.html` into the folder of a sweep; returns its path.

    again: the command or call that trains a trial again.

    Raises:
        RunError: the file cannot be written.   ResourceError: the disk is full.
    """
    best = {trial.number for trial in result.best}
    shown = {
        trial.number: _shown(trial, result.folder, trial.number in best) for trial in result.trials
    }
    signs = [1 if metric.better == "lower" else -1 for metric in plan.metrics]
    complete = [trial for trial in shown.values() if trial.state == "complete"]
    ranked = sorted(
        complete,
        key=lambda t: [sign * value for sign, value in zip(signs, t.metrics, strict=True)],
    )
    view = SweepView(
        metrics=[ShownMetric(m.name, m.title, m.better) for m in plan.metrics],
        trials=list(shown.values()),
        varied={
            name: None if isinstance(each, Choices) else each.log
            for name, each in plan.space.items()
        },
        importances=store.importances() if len(complete) >= MIN_IMPORTANCES else {},
    )
    data = plan.data
    parts = (data.train, data.validation, data.test)
    page = SweepPage(
        title=f"Sweep of {plan.recipe.name} on {data.name}",
        lead=f"{plan.sentence()}.",
        view=view,
        ranked=ranked,
        again=again(plan, result.best[0]) if result.best else "",
        data=[
            Detail("name", data.name),
            Detail("training, validation, test", ", ".join(f"{len(part):,}" for part in parts)),
            Detail("fingerprint (SHA-256)", data.fingerprint),
        ],
        versions=[Detail(name, str(value)) for name, value in environment().items()],
    )
    return write_sweep_page(page, result.folder / "report.html")


def _shown(trial: SweepTrial, folder: Path, best: bool) -> ShownTrial:
    seconds = None
    for run in trial.folders:
        try:
            seconds = (seconds or 0.0) + float(open_run(run).summary["seconds"])
        except (AutoencodeError, KeyError):  # it failed before it had a folder, or was deleted
            continue
    return ShownTrial(
        trial.number,
        trial.state,
        trial.values,
        tuple(trial.metrics.values()),
        trial.folders[0].relative_to(folder).as_posix() + "/",
        seconds,
        best,
        trial.error,
    )

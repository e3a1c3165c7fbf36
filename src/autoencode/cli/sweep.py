"""`autoencode sweep`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import (
    Cluster,
    Json,
    Source,
    Workers,
    assignment,
    flags_of,
    takes,
)
from autoencode.cli.output import print_line, print_message, print_result
from autoencode.data.options import Options
from autoencode.train.settings import Settings

if TYPE_CHECKING:
    from autoencode.scale.plan import SweepPlan, SweepTrial


@takes(settings=Settings, options=Options)
def sweep(
    settings: dict[str, Any],
    options: dict[str, Any],
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="Name of a model, from: autoencode recipes."),
    ],
    vary: Annotated[
        list[str],
        typer.Option(
            "--vary",
            metavar="NAME=VALUES",
            help="What is varied, a value of the recipe or a training setting: latent=2..64:log, "
            "lr=1e-4..1e-2:log, terms.kl.weight=0.1..10:log, network.hidden=[256]|[512,256] "
            "(repeatable).",
        ),
    ],
    data: Source = "mnist",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="What to improve, measured on the validation part of the data and never on the "
            "test part: squared_error, a term such as kl, or another metric of evaluate; with "
            "several, the trials that no other trial beats in all are the best (repeatable).",
            show_default="squared_error",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of trials, earlier ones included.")
    ] = 20,
    latent: Annotated[
        int | None,
        typer.Option(help="Number of latent dimensions.", show_default="from the recipe"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change one value of the recipe for all trials (repeatable).",
        ),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=1000, help="Number of runs of each trial, whose metrics are averaged."
        ),
    ] = 1,
    prune: Annotated[
        bool,
        typer.Option(
            help="End trainings whose validation error is above the median of the other trials; "
            "for one metric of squared_error, loss and terms, and one seed."
        ),
    ] = True,
    workers: Workers = None,
    cluster: Cluster = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database for the trials, such as sqlite:///sweeps.db or "
            "postgresql://user@host/database.",
            show_default="sweep.db in OUT",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the sweep.", show_default="runs/sweeps/RECIPE-DATA"),
    ] = None,
    json: Json = False,
) -> None:
    """Search hyperparameters: train a model many times and choose the best on validation data.

    The same command continues a sweep that was interrupted; with more --trials it goes on.

    Example: autoencode sweep vae --data digits --vary latent=2..16:log --trials 10 --steps 500
    """
    # Whatever can be refused without the data is refused before the data are loaded.
    from autoencode.models.recipes.table import recipe_named

    changed = recipe_named(recipe)
    for name, value in map(assignment, set_ or []):
        changed = changed.set(name, value)
    if latent is not None:
        changed = changed.set("latent", latent)
    Settings.of(changed, settings)

    from autoencode.data import load_data
    from autoencode.scale.objectives import sweep_metrics
    from autoencode.scale.plan import SweepPlan
    from autoencode.scale.search import run_sweep
    from autoencode.scale.space import space_of

    names = metric or ["squared_error"]
    sweep_metrics(names, changed, space_of(changed, vary, settings))
    loaded = load_data(data, **options)
    for notice in loaded.notices:
        print_message("note", notice)
    plan = SweepPlan.of(
        changed,
        loaded,
        vary,
        names,
        settings=settings,
        trials=trials,
        seeds=seeds,
        prune=prune,
    )
    base = ["autoencode", "train", recipe, "--data", data, *flags_of(Options, options)]
    for text in set_ or []:
        base += ["--set", text]
    if latent is not None:
        base += ["--latent", str(latent)]

    def again(plan: SweepPlan, trial: SweepTrial) -> str:
        return train_command(base, plan, trial)

    folder = out if out is not None else Path("runs/sweeps") / f"{recipe}-{loaded.name}"
    found = run_sweep(
        plan,
        folder,
        workers=workers,
        cluster=cluster,
        storage=storage,
        on_line=(lambda line: None) if json else print_line,
        again=again,
    )
    record = {
        "folder": str(folder),
        "metrics": {each.name: each.better for each in found.metrics},
        "measured_on": "validation",
        "trials": [
            {
                "number": trial.number,
                "state": trial.state,
                "values": dict(trial.values),
                "metrics": dict(trial.metrics),
                "runs": [str(each) for each in trial.folders],
                "error": trial.error or None,
            }
            for trial in found.trials
        ],
        "best": [{"number": trial.number, "train": again(plan, trial)} for trial in found.best],
    }
    print_result(record, [], json)


def train_command(base: list[str], plan: SweepPlan, trial: SweepTrial) -> str:
    """The command that trains a trial again, to the same weights on the same machine.

    base: its words up to what is varied and the training settings.
    """
    import torch

    from autoencode.io.store import read_json
    from autoencode.scale.space import label_of, setting_names

    words, known = list(base), setting_names()
    given = {name: value for name, value in trial.settings.items() if value is not None}
    for name in sorted(trial.values, key=lambda each: each.count(".")):
        if name == "latent":
            words += ["--latent", label_of(trial.values[name])]
        elif name not in known:
            words += ["--set", f"{name}={label_of(trial.values[name])}"]
        elif name not in given:  # none, where the recipe may have another value
            words += ["--set", f"training.{name}=none"]
    words += flags_of(Settings, given)
    if plan.seeds > 1:
        words += ["--seeds", str(plan.seeds)]
    threads = read_json(trial.folders[0] / "environment.json")["threads"]
    command = shlex.join(words)
    # The sums of several threads are rounded differently from those of one.
    return command if threads == torch.get_num_threads() else f"OMP_NUM_THREADS={threads} {command}"

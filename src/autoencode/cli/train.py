"""`autoencode train`."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import (
    Cluster,
    Json,
    Overwrite,
    Report,
    TrainingSource,
    Workers,
    assignment,
    takes,
)
from autoencode.cli.output import print_line, print_message, print_result, row
from autoencode.data.options import Options
from autoencode.errors import AutoencodeError
from autoencode.train.settings import Settings

if TYPE_CHECKING:
    from autoencode.train import FitResult


# Options that ask for another preprocessing than that of the run whose weights are taken.
RESCALING = {"value_range", "per_channel", "scale", "size", "columns", "binarise"}


@takes(settings=Settings, options=Options)
def train(
    settings: dict[str, Any],
    options: dict[str, Any],
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE",
            help="Name of a model, from: autoencode recipes.",
            show_default=False,
        ),
    ] = None,
    continued: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            metavar="RUN",
            help="Finished run to train for --steps or --epochs more, instead of a RECIPE; its "
            "learning rate schedule begins anew.",
            show_default="a new model",
        ),
    ] = None,
    data: TrainingSource = None,
    latent: Annotated[
        int | None,
        typer.Option(help="Number of latent dimensions.", show_default="from the recipe"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change one value of the recipe, such as terms.kl.weight=4, or let it change in "
            "training: schedules.terms.kl.weight=linear:0,5000 (start, steps), or cyclical:0,2500, "
            "or stepwise:0,1000,5 (start, steps, jumps) (repeatable).",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Number of runs that differ in the seed, each in a folder OUT/seed-N.",
            show_default="one run in OUT itself",
        ),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run or runs.", show_default="runs/RECIPE-DATA"),
    ] = None,
    overwrite: Overwrite = False,
    report: Report = True,
    json: Json = False,
) -> None:
    """Train a model on data, measure it on the test part and write a report.

    With --continue, a finished run is trained for more steps, into a new folder.
    With --seeds, finished and interrupted runs of the same training are reused or continued.

    Example: autoencode train vae --data mnist --latent 2 --steps 5000
    """
    if continued is not None or recipe is None:
        others = {"RECIPE": recipe, "--latent": latent, "--set": set_, "--seeds": seeds} | {
            f"--{name.replace('_', '-')}": value for name, value in options.items()
        }
        if continued is None:
            raise AutoencodeError(
                "Missing argument RECIPE",
                "Give one, from: autoencode recipes, or a finished run: --continue RUN --steps N. "
                "See: autoencode train --help",
            )
        _continue(continued, data, settings, others, out, overwrite, report=report, json=json)
        return
    # Whatever can be refused without the data is refused before the data are loaded.
    from autoencode.models.recipes.table import recipe_named

    changed = recipe_named(recipe)
    for name, value in map(assignment, set_ or []):
        changed = changed.set(name, value)
    if latent is not None:
        changed = changed.set("latent", latent)
    Settings.of(changed, settings)

    from autoencode.data import Data, load_data
    from autoencode.train import fit
    from autoencode.train.distributed import join

    group = join()
    if group.size > 1 and seeds is not None:
        raise AutoencodeError(
            f"The {group.size} processes train one model, and --seeds trains several",
            "Start it without torchrun: autoencode train --seeds …",
        )
    if group.place.may_restart and out is None:
        raise AutoencodeError(
            "A training that torchrun may start again needs the folder of its run",
            "Give it: --out RUN.",
        )

    def read() -> Data:
        preprocessing = None
        if (init := settings.get("init")) is not None and not RESCALING & options.keys():
            from autoencode.models.run import preprocessing_of

            preprocessing = preprocessing_of(init)
            print_message("note", f"The data are preprocessed as for {init}.")
        source = "mnist" if data is None else data
        return load_data(source, preprocessing=preprocessing, **options)

    loaded = group.together(read)
    for notice in loaded.notices:
        print_message("note", notice)
    folder = out
    if folder is None:
        folder = group.first(lambda: _unused_folder(f"{recipe}-{loaded.name}"))
    if seeds is not None:
        from autoencode.cli.seeds import train_seeds

        train_seeds(
            changed,
            loaded,
            folder,
            seeds,
            settings,
            workers=workers,
            cluster=cluster,
            overwrite=overwrite,
            report=report,
            json=json,
        )
        return
    for name, value in (("--workers", workers), ("--cluster", cluster)):
        if value is not None:
            raise AutoencodeError(f"{name} is for several trainings", "Give --seeds, too.")
    fitted = fit(changed, loaded, out=folder, overwrite=overwrite, **settings)
    show_and_save(fitted, report, json)


def _continue(
    run: Path,
    data: str | None,
    settings: dict[str, Any],
    others: dict[str, Any],
    out: Path | None,
    overwrite: bool,
    *,
    report: bool,
    json: bool,
) -> None:
    """Trains a finished run for more steps; `others` are options that it cannot have, by name.

    Raises:
        AutoencodeError: one of `others` is given, or as `resume` of `autoencode.train`.
    """
    from autoencode.models.run import open_run
    from autoencode.train import resume
    from autoencode.train.distributed import join

    if given := [name for name, value in others.items() if value is not None]:
        raise AutoencodeError(
            f"A run that is continued keeps its recipe and its data, and {given[0]} was given",
            f"Leave {given[0]} out.",
        )

    def chosen() -> Path | None:
        if out is not None or open_run(run).status != "done":
            return out
        return run if overwrite else _unused_folder(run.resolve().name)

    folder = join().first(chosen)
    fitted = resume(run, data=data, out=folder, overwrite=overwrite, **settings)
    show_and_save(fitted, report, json)


def show_and_save(fitted: FitResult, report: bool, json: bool) -> None:
    """Measures a trained model, prints the metrics, and saves them and the report in the run.

    The metrics are printed before they are saved: a full disk does not take them away. The weights
    are on disk already. Of several processes that have trained it, the first one does this.
    """
    run = fitted.run
    if run is None:
        return
    from autoencode.cli.measure import summary_lines
    from autoencode.evaluation.of_runs import measure_run, save_metrics

    metrics = measure_run(run, fitted.data, fitted.model).to_dict()
    record = {"run": str(run.folder), **fitted.summary, **metrics}
    print_result(record, [*summary_lines(run, metrics), row("run", run.folder)], json)
    save_metrics(run, fitted.data, metrics)
    if not report:
        return
    from autoencode.report import write_card, write_report

    write_card(run)
    path = write_report(run, data=fitted.data)
    if not json:
        print_line(row("report", path))


def _unused_folder(text: str) -> Path:
    """`runs/NAME`, or the first of `runs/NAME-2`, `runs/NAME-3`, … that does not exist.

    NAME is the text with "-" for every character that is not allowed in file names everywhere.
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text)[:100]
    base = Path("runs") / name
    if not base.exists():
        return base
    return next(path for n in count(2) if not (path := base.with_name(f"{name}-{n}")).exists())

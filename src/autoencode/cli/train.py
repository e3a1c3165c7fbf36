"""`autoencode train`."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autoencode.cli.options import Json, Overwrite, Report, Source, assignment, takes
from autoencode.cli.output import print_line, print_message, print_result, row
from autoencode.data.options import Options
from autoencode.train.settings import Settings

if TYPE_CHECKING:
    from autoencode.train import FitResult


@takes(settings=Settings, options=Options)
def train(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="Name of a model, from: autoencode recipes."),
    ],
    settings: dict[str, Any],
    options: dict[str, Any],
    data: Source = "mnist",
    latent: Annotated[
        int | None,
        typer.Option(help="Number of latent dimensions.", show_default="from the recipe"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change one value of the recipe, such as terms.kl.weight=4 (repeatable).",
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
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run or runs.", show_default="runs/RECIPE-DATA"),
    ] = None,
    overwrite: Overwrite = False,
    report: Report = True,
    json: Json = False,
) -> None:
    """Train a model on data, measure it on the test part and write a report.

    With --seeds, finished and interrupted runs of the same training are reused or continued.

    Example: autoencode train vae --data mnist --latent 2 --steps 5000
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
    from autoencode.train import fit

    loaded = load_data(data, **options)
    for notice in loaded.notices:
        print_message("note", notice)
    folder = out if out is not None else _unused_folder(f"{recipe}-{loaded.name}")
    if seeds is not None:
        from autoencode.cli.seeds import train_seeds

        train_seeds(
            changed, loaded, folder, seeds, settings, overwrite=overwrite, report=report, json=json
        )
        return
    fitted = fit(changed, loaded, out=folder, overwrite=overwrite, **settings)
    show_and_save(fitted, report, json)


def show_and_save(fitted: FitResult, report: bool, json: bool) -> None:
    """Measures a trained model, prints the metrics, and saves them and the report in the run.

    The metrics are printed before they are saved: a full disk does not take them away. The weights
    are on disk already.
    """
    from autoencode.cli.measure import measure_run, save_metrics, summary_lines

    run = fitted.run
    assert run is not None
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

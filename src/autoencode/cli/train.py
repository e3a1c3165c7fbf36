"""`autoencode train` and `autoencode resume`."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autoencode.cli.options import (
    Binarise,
    Json,
    Labelled,
    Labels,
    Mapped,
    MaxBad,
    OnBad,
    Range,
    RunFolder,
    Size,
    Source,
    SplitSeed,
    Vectors,
    assignment,
    data_options,
)
from autoencode.cli.output import complain, say, say_json

if TYPE_CHECKING:
    from autoencode.train import FitResult

Setting = typer.Option(show_default="the recipe's", rich_help_panel="Training")


def train(
    recipe: Annotated[str, typer.Argument(help="A row of the table: autoencode recipes.")],
    data: Source = "mnist",
    latent: Annotated[
        int | None, typer.Option(help="Numbers in a code.", show_default="the recipe's")
    ] = None,
    steps: Annotated[int | None, Setting] = None,
    epochs: Annotated[int | None, Setting] = None,
    batch_size: Annotated[int | None, Setting] = None,
    lr: Annotated[float | None, Setting] = None,
    schedule: Annotated[str | None, Setting] = None,
    warmup: Annotated[int | None, Setting] = None,
    clip: Annotated[float | None, Setting] = None,
    weight_decay: Annotated[float | None, Setting] = None,
    beta2: Annotated[float | None, Setting] = None,
    augment: Annotated[
        float | None,
        typer.Option(
            help="Share of the images turned and stretched a little.",
            show_default="the recipe's",
            rich_help_panel="Training",
        ),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Begin with the weights of that run.",
            rich_help_panel="Training",
        ),
    ] = None,
    patience: Annotated[int | None, Setting] = None,
    validate_every: Annotated[int | None, Setting] = None,
    checkpoint_every: Annotated[int | None, Setting] = None,
    snapshots: Annotated[
        int | None,
        typer.Option(
            metavar="FRAMES",
            help="Keep the weights at so many steps: explore shows the training as a film.",
            rich_help_panel="Training",
        ),
    ] = None,
    seed: Annotated[int | None, Setting] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Train so many runs, from --seed on: OUT/seed-0, … side by side on a processor.",
            rich_help_panel="Training",
        ),
    ] = None,
    device: Annotated[str | None, Setting] = None,
    precision: Annotated[str | None, Setting] = None,
    compile_: Annotated[
        str | None,
        typer.Option(
            "--compile",
            help="auto, on or off: the whole step as one program, where it pays.",
            show_default="auto",
            rich_help_panel="Training",
        ),
    ] = None,
    tensorboard: Annotated[bool | None, Setting] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any number of the recipe."),
    ] = None,
    labels: Labels = None,
    vectors: Vectors = None,
    labelled: Labelled = None,
    binarise: Binarise = None,
    mapped: Mapped = False,
    value_range: Range = None,
    size: Size = None,
    on_bad: OnBad = "fail",
    max_bad: MaxBad = 0.01,
    split_seed: SplitSeed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run, or of the runs.", show_default="runs/RECIPE-DATA"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace that run, or those.")
    ] = False,
    report: Annotated[bool, typer.Option(help="Write report.html at the end.")] = True,
    json: Json = False,
) -> None:
    """Train a recipe on data, measure it on the test part, and write a report.

    With --seeds, runs in the folder that are this very training are kept or continued.

    Example: autoencode train vae --data mnist --latent 2 --steps 5000
    """
    given = {
        "steps": steps,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "schedule": schedule,
        "warmup": warmup,
        "clip": clip,
        "weight_decay": weight_decay,
        "beta2": beta2,
        "augment": augment,
        "init": None if init is None else str(init),
        "patience": patience,
        "validate_every": validate_every,
        "checkpoint_every": checkpoint_every,
        "film": snapshots,
        "seed": seed,
        "device": device,
        "precision": precision,
        "compile": compile_,
        "tensorboard": tensorboard,
    }
    changes = dict(assignment(text) for text in set_ or [])
    if latent is not None:
        changes["latent"] = latent

    # What needs no data is refused before anything is loaded.
    from autoencode.models.recipes.table import recipe_named
    from autoencode.train.settings import Settings

    row = recipe_named(recipe)
    for name, value in changes.items():
        row = row.set(name, value)
    settings = {name: value for name, value in given.items() if value is not None}
    Settings.of(row, settings)

    from autoencode.data import load_data
    from autoencode.train import fit

    options = data_options(
        labels, value_range, size, on_bad, max_bad, split_seed, vectors, labelled, binarise, mapped
    )
    loaded = load_data(data, **options)
    for notice in loaded.notices:
        complain("note", notice)
    folder = out if out is not None else _free_folder(f"{recipe}-{loaded.name}")
    if seeds is not None:
        from autoencode.cli.seeds import train_seeds

        train_seeds(
            row, loaded, folder, seeds, settings, overwrite=overwrite, report=report, json=json
        )
        return
    fitted = fit(row, loaded, out=folder, overwrite=overwrite, **settings)
    _conclude(fitted, report, json)


def resume(
    run: RunFolder,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="SOURCE", help="For a run on arrays in memory."),
    ] = None,
    report: Annotated[bool, typer.Option(help="Write report.html at the end.")] = True,
    json: Json = False,
) -> None:
    """Continue a run that was cut short, to the same weights it would have had anyway.

    Example: autoencode resume runs/vae-mnist
    """
    from autoencode.train import resume as continue_run

    _conclude(continue_run(run, data=data), report, json)


def _conclude(fitted: FitResult, report: bool, json: bool) -> None:
    """Measures and says what was found before it is written down: a full disk takes nothing away.

    The weights are on disk already.
    """
    from autoencode.cli.measure import keep, measure, summary_lines

    run = fitted.run
    assert run is not None
    metrics = measure(run, fitted.data, fitted.model)
    if json:
        say_json({"run": str(run.folder), **fitted.summary, **metrics})
    else:
        for line in summary_lines(run, metrics):
            say(line)
        say(f"run            {run.folder}")
    keep(run, fitted.data, metrics)
    if not report:
        return
    from autoencode.report import write_card, write_report

    write_card(run)
    path = write_report(run, data=fitted.data)
    if not json:
        say(f"report         {path}")


def _free_folder(text: str) -> Path:
    """`runs/NAME`, or the first of `runs/NAME-2`, `runs/NAME-3`, … that is not there.

    NAME is the text without what cannot stand in a file's name everywhere.
    """
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in text)[:100]
    base = Path("runs") / name
    if not base.exists():
        return base
    return next(path for n in count(2) if not (path := base.with_name(f"{name}-{n}")).exists())

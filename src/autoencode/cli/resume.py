"""`autoencode resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json, Report, RunFolder
from autoencode.cli.train import show_and_save


def resume(
    run: RunFolder,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="SOURCE",
            help="The training data, for a run that was trained on arrays in memory.",
        ),
    ] = None,
    report: Report = True,
    json: Json = False,
) -> None:
    """Continue an interrupted run, to exactly the weights that it would have had without the stop.

    Example: autoencode resume runs/vae-mnist
    """
    from autoencode.train import resume as continue_training

    show_and_save(continue_training(run, data=data), report, json)

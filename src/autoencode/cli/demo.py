"""`autoencode demo`: the main job, from nothing to a report of two models and their explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.options import Source
from autoencode.cli.output import say


def demo(
    data: Source = "mnist",
    steps: Annotated[int, typer.Option(help="Updates of each of the two models.")] = 6_000,
    out: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("runs/demo"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo.")
    ] = False,
) -> None:
    """Train an autoencoder and a VAE with 2-D codes, set them side by side, and move through both.

    Example: autoencode demo
    """
    from autoencode.cli.compare import compared
    from autoencode.cli.measure import keep, measure, summary_lines
    from autoencode.data import load_data
    from autoencode.evaluation import QUICK
    from autoencode.explorer.page import write_explorer
    from autoencode.report import write_comparison_page, write_report
    from autoencode.train import fit

    loaded = load_data(data)
    runs = []
    for number, recipe in enumerate(("ae", "vae"), start=1):
        say(f"[{number}/2] training {recipe} on {loaded.name}: {steps:,} steps of 200 images")
        fitted = fit(recipe, loaded, latent=2, steps=steps, out=out / recipe, overwrite=overwrite)
        assert fitted.run is not None
        metrics = measure(fitted.run, loaded, fitted.model)
        for line in summary_lines(fitted.run, metrics):
            say(f"      {line}")
        keep(fitted.run, loaded, metrics)
        runs.append(fitted.run)
    found = compared(runs, QUICK)
    page = write_comparison_page(
        found, out / "report.html", "An autoencoder and a VAE", data=loaded
    )
    say(f"report:   {page}")
    for run in runs:
        say(f"          {write_report(run, data=loaded)}")
    say(f"explorer: {write_explorer(runs, out / 'explorer.html', data=loaded)}")

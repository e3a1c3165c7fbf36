"""`autoencode demo`: train two models, report on them and explore them, with one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.options import Overwrite, Source
from autoencode.cli.output import print_line


def demo(
    data: Source = "mnist",
    steps: Annotated[
        int, typer.Option(min=1, help="Number of training steps of each of the two models.")
    ] = 6_000,
    out: Annotated[Path, typer.Option(help="Folder of the demo.")] = Path("runs/demo"),
    overwrite: Overwrite = False,
) -> None:
    """Train an autoencoder and a VAE with 2-D codes, compare them, and make their explorer.

    Example: autoencode demo
    """
    from autoencode.cli.compare import compared
    from autoencode.cli.measure import summary_lines
    from autoencode.data import load_data
    from autoencode.evaluation import QUICK
    from autoencode.evaluation.of_runs import measure_run, save_metrics
    from autoencode.explorer.page import write_explorer
    from autoencode.report import write_comparison_page, write_report
    from autoencode.train import Settings, fit

    loaded = load_data(data)
    runs = []
    for number, recipe in enumerate(("ae", "vae"), start=1):
        print_line(
            f"[{number}/2] training {recipe} on {loaded.name}: {steps:,} steps of "
            f"{Settings().batch_size} images"
        )
        fitted = fit(recipe, loaded, latent=2, steps=steps, out=out / recipe, overwrite=overwrite)
        assert fitted.run is not None
        metrics = measure_run(fitted.run, loaded, fitted.model).to_dict()
        for line in summary_lines(fitted.run, metrics):
            print_line(f"      {line}")
        save_metrics(fitted.run, loaded, metrics)
        runs.append(fitted.run)
    found = compared(runs, QUICK)
    page = write_comparison_page(
        found, out / "report.html", "An autoencoder and a VAE", data=loaded
    )
    print_line(f"report:   {page}")
    for run in runs:
        print_line(f"          {write_report(run, data=loaded)}")
    print_line(f"explorer: {write_explorer(runs, out / 'explorer.html', data=loaded)}")

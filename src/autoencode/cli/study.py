"""`autoencode study`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from autoencode.cli.options import Cluster, Json, Source, Workers, flags_of, takes
from autoencode.cli.output import print_line, print_message, print_result
from autoencode.data.options import Options
from autoencode.errors import AutoencodeError, did_you_mean


@takes(options=Options)
def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The study: bottleneck, architecture, noise, generation, priors, conditional, "
            "regularisers or beta.",
        ),
    ],
    options: dict[str, Any],
    data: Source = "mnist",
    full: Annotated[
        bool, typer.Option("--full", help="Train longer and with more seeds, which takes hours.")
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Largest number of steps of each training run.",
            show_default="from the study",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=1000, help="Number of seeds of each model.", show_default="from the study"
        ),
    ] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the study.", show_default="runs/studies/NAME-DATA"),
    ] = None,
    json: Json = False,
) -> None:
    """Answer a question about autoencoders: train the models that it needs and compare them.

    The same command continues a study that was interrupted.

    Example: autoencode study bottleneck --data mnist
    """
    from autoencode.data import load_data
    from autoencode.studies import STUDIES, StudyPlan, run_study

    if name not in STUDIES:
        raise AutoencodeError(f'There is no study "{name}"', did_you_mean(name, STUDIES))
    loaded = load_data(data, **options)
    for notice in loaded.notices:
        print_message("note", notice)
    plan = StudyPlan(loaded, full, steps, seeds)
    folder = out if out is not None else Path("runs/studies") / f"{name}-{loaded.name}"
    words = ["autoencode", "study", name, "--data", data, *flags_of(Options, options)]
    words += ["--full"] if full else []
    words += ["--steps", str(steps)] if steps is not None else []
    words += ["--seeds", str(seeds)] if seeds is not None else []
    found = run_study(
        STUDIES[name],
        plan,
        folder,
        shlex.join(words),
        workers,
        cluster,
        (lambda line: None) if json else print_line,
    )
    record = {
        "study": name,
        "data": loaded.name,
        "folder": str(folder),
        "findings": [asdict(each) for each in found.findings],
    }
    lines = [
        f"- {each.hypothesis}\n  {each.verdict.capitalize()}. {each.sentence}"
        for each in found.findings
    ]
    print_result(record, ["", *lines, f"report: {folder / 'report.html'}"], json)

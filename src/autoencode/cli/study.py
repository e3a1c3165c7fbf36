"""`autoencode study`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from autoencode.cli.options import Json, Labels, OnBad, Range, Size, Source, data_options
from autoencode.cli.output import complain, say, say_json
from autoencode.errors import AutoencodeError, did_you_mean


def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="bottleneck, architecture, noise, generation, priors, conditional, regularisers "
            "or beta.",
        ),
    ],
    data: Source = "mnist",
    full: Annotated[
        bool, typer.Option("--full", help="Train long and with more seeds: hours.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option(min=1, max=10**9, help="Of each training, at most.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=1000, help="Of each model.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Trainings at once; by default, cores.")
    ] = None,
    labels: Labels = None,
    value_range: Range = None,
    size: Size = None,
    on_bad: OnBad = "fail",
    out: Annotated[
        Path | None, typer.Option(help="Its folder; by default runs/studies/NAME-DATA.")
    ] = None,
    json: Json = False,
) -> None:
    """Find something out: train what a question asks for, and state what the figures say.

    A study that was cut short goes on where it was when the same command is given again.

    Example: autoencode study bottleneck --data mnist
    """
    from autoencode.data import load_data
    from autoencode.studies import STUDIES, StudyPlan, run_study

    if name not in STUDIES:
        raise AutoencodeError(f'There is no study "{name}"', did_you_mean(name, STUDIES))
    options = data_options(labels, value_range, size, on_bad, 0.01, 0)
    loaded = load_data(data, **options)
    for notice in loaded.notices:
        complain("note", notice)
    plan = StudyPlan(loaded, full, steps, seeds)
    folder = out if out is not None else Path("runs/studies") / f"{name}-{loaded.name}"
    words = ["autoencode", "study", name, "--data", data]
    words += ["--full"] if full else []
    words += ["--steps", str(steps)] if steps is not None else []
    words += ["--seeds", str(seeds)] if seeds is not None else []
    found = run_study(
        STUDIES[name],
        plan,
        folder,
        shlex.join(words),
        workers,
        (lambda line: None) if json else say,
    )
    if json:
        say_json(
            {
                "study": name,
                "data": loaded.name,
                "folder": str(folder),
                "findings": [asdict(each) for each in found.findings],
            }
        )
        return
    say("")
    for each in found.findings:
        say(f"- {each.hypothesis}\n  {each.verdict.capitalize()}. {each.sentence}")
    say(f"report: {folder / 'report.html'}")

"""`autoencode anomalies`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from autoencode.cli.options import Json, OtherSource, Overwrite, RunFolder, Seed, takes
from autoencode.cli.output import print_message, print_result, row
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError


@takes(options=ReadOptions)
def anomalies(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")] = Path(
        "scores.csv"
    ),
    data: OtherSource = None,
    score: Annotated[
        Literal["reconstruction", "elbo", "likelihood", "density", "neighbours"],
        typer.Option(
            help="Squared error, −ELBO, −log p(x) by importance sampling, −log density of the "
            "code, or distance from the code to the fifth nearest training code."
        ),
    ] = "reconstruction",
    quantile: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Share of the run's validation part below the threshold."
        ),
    ] = 0.95,
    contamination: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of the data that are anomalies; the threshold follows from it.",
            show_default="the threshold is a quantile of the validation part",
        ),
    ] = None,
    normal: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Normal classes, separated by commas, against which labels are compared.",
            show_default="those that the run was trained on with --normal",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(help="Folder for a heat map of each image's errors.", show_default="none"),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Importance samples of each example.")] = 100,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Score how unlike the training data examples are, and mark those above a threshold.

    Train on normal data, for example with `autoencode train ae --normal CLASS`. With labels, AUROC
    and average precision are printed, with intervals.

    Example: autoencode anomalies runs/ae-parts --data new --out scores.csv
    """
    from autoencode.cli.used import opened
    from autoencode.use.anomalies import write_anomalies
    from autoencode.use.scores import MEANING

    used = opened(run, data, options, out, overwrite)
    try:
        training = used.run.load_data()
    except AutoencodeError as error:
        training = None
        print_message("note", f"The data of the run cannot be loaded: {error.what}.")
    known = used.run.data["options"].get("normal") or []
    names = tuple(known if normal is None else normal.split(","))
    done = write_anomalies(
        used.model,
        used.data,
        out,
        training,
        score,
        quantile,
        contamination,
        names,
        maps,
        samples,
        seed,
        overwrite,
        **used.options,
    )
    used.note(done.notices)
    lines = [
        row("scores", f"{done.n:,} examples: {MEANING[score]}"),
        row("threshold", f"{done.threshold:.6g}, {done.origin}"),
        row("anomalies", f"{done.flagged:,} of {done.n:,} ({done.flagged / max(done.n, 1):.1%})"),
    ]
    result: dict[str, Any] = {
        "examples": done.n,
        "score": score,
        "threshold": done.threshold,
        "anomalies": done.flagged,
    }
    if done.auroc is not None and done.average_precision is not None:
        against = f"of other classes against {', '.join(done.normal)}"
        lines += [
            row("AUROC", f"{done.auroc}, {against}"),
            row("average precision", str(done.average_precision)),
        ]
        result |= {"auroc": done.auroc._asdict(), "normal": list(done.normal)}
        result["average_precision"] = done.average_precision._asdict()
    lines.append(row("table", str(out)))
    if maps is not None:
        lines.append(row("maps", str(maps)))
    print_result(result, lines, json)

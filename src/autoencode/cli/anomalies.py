"""`autoencode anomalies`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from autoencode.cli.options import (
    Json,
    OtherSource,
    Overwrite,
    PartCluster,
    PartWorkers,
    RunFolder,
    Seed,
    takes,
)
from autoencode.cli.output import print_message, print_notes, print_result, row
from autoencode.cli.parts import local, source_of_parts
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError

if TYPE_CHECKING:
    from autoencode.data import Data
    from autoencode.models.run import Run


@takes(options=ReadOptions)
def anomalies(
    run: RunFolder,
    options: dict[str, Any],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Table to write: .csv or .parquet; with --workers or --cluster a folder of "
            ".parquet files, also at a URL.",
        ),
    ] = "scores.csv",
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
        str | None,
        typer.Option(
            metavar="PATH",
            help="Folder for a heat map of each image's errors.",
            show_default="none",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Importance samples of each example.")] = 100,
    seed: Seed = 0,
    workers: PartWorkers = None,
    cluster: PartCluster = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Score how unlike the training data examples are, and mark those above a threshold.

    Train on normal data, for example with `autoencode train ae --normal CLASS`. With labels, AUROC
    and average precision are printed, with intervals.

    With --workers or --cluster, many processes write a folder of parts; the same command goes on
    where it was stopped.

    Example: autoencode anomalies runs/ae-parts --data new --out scores.csv
    """
    from autoencode.use.scores import MEANING

    in_parts = workers is not None or cluster is not None
    how: dict[str, Any] = {"method": score, "quantile": quantile, "contamination": contamination}
    how |= {"maps": maps, "samples": samples, "seed": seed}
    if in_parts:
        from autoencode.models.run import open_run
        from autoencode.scale.collections import write_anomalies_in_parts

        source = source_of_parts(data, out, overwrite)
        opened_run = open_run(run)
        done = write_anomalies_in_parts(
            run,
            source,
            out,
            _training(opened_run),
            normal=_normal(opened_run, normal),
            workers=workers,
            cluster=cluster,
            **how,
            **options,
        )
    else:
        from autoencode.cli.used import opened
        from autoencode.use.anomalies import write_anomalies

        used = opened(run, data, options, local(out), overwrite)
        how["maps"] = None if maps is None else local(maps)
        done = write_anomalies(
            used.model,
            used.data,
            out,
            _training(used.run),
            normal=_normal(used.run, normal),
            overwrite=overwrite,
            **how,
            **used.options,
        )
    print_notes(done.notices)
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
    lines.append(row("parts" if in_parts else "table", str(out)))
    if maps is not None:
        lines.append(row("maps", str(maps)))
    print_result(result, lines, json)


def _training(run: Run) -> Data | None:
    """The data of a run; None, which is said, if they cannot be loaded."""
    try:
        return run.load_data()
    except AutoencodeError as error:
        print_message("note", f"The data of the run cannot be loaded: {error.what}.")
        return None


def _normal(run: Run, given: str | None) -> tuple[str, ...]:
    """The names of the normal classes."""
    known = run.data["options"].get("normal") or []
    return tuple(known if given is None else given.split(","))

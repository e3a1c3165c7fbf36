"""`autoencode evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from autoencode.cli.options import Images, Json, Measures, OtherSource, RunFolder, Samples, takes
from autoencode.cli.output import print_line, print_message, print_result, row
from autoencode.cli.picture import data_of
from autoencode.data.options import ReadOptions
from autoencode.errors import AutoencodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoencode.data import Data
    from autoencode.models.build import Model
    from autoencode.models.run import Run


@takes(options=ReadOptions)
def evaluate(
    run: RunFolder,
    options: dict[str, Any],
    measures: Measures = "all",
    samples: Samples = 1_000,
    images: Images = 1_000,
    precision: Annotated[
        Literal["float32", "bf16"],
        typer.Option(
            help="Precision of the decoder's products for log p(x); bf16 takes half the time on "
            "processors that have it, and its error is measured and stated."
        ),
    ] = "float32",
    projection: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="How the test codes are projected to 2-D for the report: tsne, umap (an extra "
            "package), pca or none.",
            show_default="tsne for more than 2 latent dimensions, with the measure space",
        ),
    ] = None,
    data: OtherSource = None,
    report: Annotated[bool, typer.Option(help="Update report.html and card.md of the run.")] = True,
    json: Json = False,
) -> None:
    """Measure a run on test data, which were not used in training.

    Measures that were taken before are reused, and an interrupted evaluation is continued.

    Example: autoencode evaluate runs/vae-mnist --json
    """
    from autoencode.cli.measure import measures_named, summary_lines
    from autoencode.evaluation.of_runs import measure_run, save_metrics
    from autoencode.models.run import open_run

    opened = open_run(run)
    model = opened.load_model()
    loaded = data_of(opened, data, options)
    is_own = loaded.fingerprint == opened.data["fingerprint"]
    names = measures_named(measures)
    method = _projection_method(opened, names, projection, is_own)
    found = measure_run(
        opened, loaded, model, names, samples=samples, images=images, precision=precision
    )
    metrics = found.to_dict()
    print_result(metrics, summary_lines(opened, metrics), json)
    if precision == "bf16" and "nll" in metrics["notes"]:
        print_message("note", metrics["notes"]["nll"])
    if opened.address != str(opened.folder):
        print_message(
            "note",
            f"{opened.address} is read-only, so nothing is saved; autoencode pull gives a copy "
            "that is written to.",
        )
        return
    try:
        save_metrics(opened, loaded, metrics)
    except AutoencodeError as error:  # the metrics have been printed
        print_message("warning", f"{error.what}, so the metrics are not saved")
        return
    if method is not None:
        _project(opened, loaded, model, method, json)
    if report and is_own and (opened.folder / "report.html").exists():
        _update_report(opened, loaded, json)


def _projection_method(
    run: Run, measures: Sequence[str], given: str | None, is_own: bool
) -> str | None:
    """The method with which the test codes are projected, or None.

    Raises:
        AutoencodeError: no such method, a package that is missing, or data that are not the run's.
    """
    from autoencode.explore import METHODS
    from autoencode.explore.projection import check_umap

    if given is None:
        return "tsne" if is_own and run.sizes.latent > 2 and "space" in measures else None
    if given == "none":
        return None
    if given not in METHODS:
        raise AutoencodeError(
            f'There is no projection "{given}"', did_you_mean(given, [*METHODS, "none"])
        )
    if not is_own:
        raise AutoencodeError(
            "The projection is saved in the run, so it needs the data of the run",
            "Leave out --data or --projection.",
        )
    if given == "umap":
        check_umap()
    return given


def _project(run: Run, data: Data, model: Model, method: str, json: bool) -> None:
    from autoencode.evaluation import projected

    try:
        found = projected(run, data, model, method)
    except AutoencodeError as error:
        print_message("note", f"{error.what}, so the codes are not projected")
        return
    if not json:
        print_line(
            row("projection", f"{method} of {len(found.points):,} of {found.of:,} test codes")
        )


def _update_report(run: Run, data: Data, json: bool) -> None:
    from autoencode.report import write_card, write_report

    try:
        write_card(run)
        path = write_report(run, data=data)
    except AutoencodeError as error:
        print_message("warning", f"{error.what}, so the report is not updated")
        return
    if not json:
        print_line(row("report", path))

"""`autoencode evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autoencode.cli.options import (
    Images,
    Json,
    Measures,
    OtherSource,
    Projection,
    RunFolder,
    Samples,
)
from autoencode.cli.output import complain, say, say_json
from autoencode.errors import AutoencodeError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoencode.data import Data
    from autoencode.models.build import Model
    from autoencode.models.run import Run


def evaluate(
    run: RunFolder,
    measures: Measures = "all",
    samples: Samples = 1_000,
    images: Images = 1_000,
    projection: Projection = None,
    data: OtherSource = None,
    report: Annotated[
        bool, typer.Option(help="Bring the run's report.html and card.md up to date.")
    ] = True,
    json: Json = False,
) -> None:
    """Measure a run on test data that it has never seen.

    What was measured before is not measured again, and an evaluation that was cut short goes on.

    Example: autoencode evaluate runs/vae-mnist --json
    """
    from autoencode.cli.measure import keep, measure, summary_lines, wanted
    from autoencode.data import load_data
    from autoencode.models.run import open_run

    opened = open_run(run)
    model = opened.load_model()
    loaded = opened.load_data() if data is None else load_data(data)
    own = loaded.fingerprint == opened.data["fingerprint"]
    asked = wanted(measures)
    method = _method(opened, asked, projection, own)
    metrics = measure(opened, loaded, model, asked, samples=samples, images=images)
    if json:
        say_json(metrics)
    else:
        for line in summary_lines(opened, metrics):
            say(line)
    try:
        keep(opened, loaded, metrics)
    except AutoencodeError as error:  # the figures are there all the same
        complain("warning", f"{error.what}, so the figures are not kept")
        return
    if method is not None:
        _map(opened, loaded, model, method, json)
    if report and own and (opened.folder / "report.html").exists():
        _report(opened, loaded, json)


def _method(run: Run, measures: Sequence[str], given: str | None, own: bool) -> str | None:
    """How test codes are to be mapped, if at all.

    Raises:
        AutoencodeError: there is no such method, it is not installed, or the data are others.
    """
    from autoencode.explore import METHODS
    from autoencode.explore.projection import umap_class

    if given is None:
        return "tsne" if own and run.sizes.latent > 2 and "space" in measures else None
    if given == "none":
        return None
    if given not in METHODS:
        raise AutoencodeError(
            f'There is no projection "{given}"', did_you_mean(given, [*METHODS, "none"])
        )
    if not own:
        raise AutoencodeError(
            "A map of codes is kept with the run, so it is one of its own data",
            "Leave out --data or --projection.",
        )
    if given == "umap":
        umap_class()
    return given


def _map(run: Run, data: Data, model: Model, method: str, json: bool) -> None:
    from autoencode.evaluation import projected

    try:
        found = projected(run, data, model, method)
    except AutoencodeError as error:
        complain("note", f"{error.what}, so there is no map of the codes")
        return
    if not json:
        say(f"map            {method} of {len(found.points):,} of {found.of:,} test codes")


def _report(run: Run, data: Data, json: bool) -> None:
    from autoencode.report import write_card, write_report

    try:
        write_card(run)
        path = write_report(run, data=data)
    except AutoencodeError as error:
        complain("warning", f"{error.what}, so the report is the old one")
        return
    if not json:
        say(f"report         {path}")

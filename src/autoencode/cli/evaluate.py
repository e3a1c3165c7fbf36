"""`autoencode evaluate`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoencode.cli.options import Json, OtherSource, RunFolder
from autoencode.cli.output import complain, say, say_json
from autoencode.errors import AutoencodeError


def evaluate(
    run: RunFolder,
    measures: Annotated[
        str,
        typer.Option(
            help="What to measure, commas between: reconstruction, objective, codes (together "
            "quick), likelihood, space, generation, gaps, shift, disentanglement; or all."
        ),
    ] = "all",
    samples: Annotated[
        int, typer.Option(min=1, max=10**9, help="Importance samples of ln p(x), for each image.")
    ] = 1_000,
    images: Annotated[
        int, typer.Option(min=1, max=10**9, help="Test images that ln p(x) is taken of.")
    ] = 1_000,
    data: OtherSource = None,
    json: Json = False,
) -> None:
    """Measure a run on test data that it has never seen.

    What was measured before is not measured again, and an evaluation that was cut short goes on.

    Example: autoencode evaluate runs/vae-mnist --json
    """
    from autoencode.cli.measure import keep, measure, summary_lines
    from autoencode.data import load_data
    from autoencode.evaluation import MEASURES, QUICK
    from autoencode.models.run import open_run

    groups = {"all": tuple(MEASURES), "quick": QUICK}
    asked = [name for word in measures.split(",") for name in groups.get(word, (word.strip(),))]
    opened = open_run(run)
    model = opened.load_model()
    loaded = opened.load_data() if data is None else load_data(data)
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

"""`autoencode evaluate`."""

from __future__ import annotations

from autoencode.cli.options import Json, OtherSource, RunFolder
from autoencode.cli.output import complain, say, say_json
from autoencode.errors import AutoencodeError


def evaluate(run: RunFolder, data: OtherSource = None, json: Json = False) -> None:
    """Measure a run on test data that it has never seen.

    Example: autoencode evaluate runs/vae-mnist --json
    """
    from autoencode.cli.measure import keep, measure, summary_lines
    from autoencode.data import load_data
    from autoencode.models.run import open_run

    opened = open_run(run)
    model = opened.load_model()
    loaded = opened.load_data() if data is None else load_data(data)
    metrics = measure(opened, loaded, model)
    if json:
        say_json(metrics)
    else:
        for line in summary_lines(opened, metrics):
            say(line)
    try:
        keep(opened, loaded, metrics)
    except AutoencodeError as error:  # the figures are there all the same
        complain("warning", f"{error.what}, so the figures are not kept")

"""`autoencode evaluate`."""

from __future__ import annotations

from autoencode.cli.options import Json, OtherSource, RunFolder
from autoencode.cli.output import say, say_json


def evaluate(run: RunFolder, data: OtherSource = None, json: Json = False) -> None:
    """Measure a run on test data that it has never seen.

    Example: autoencode evaluate runs/vae-mnist --json
    """
    from autoencode.cli.measure import measure, summary_lines
    from autoencode.data import load_data
    from autoencode.models.run import open_run

    opened = open_run(run)
    model = opened.load_model()
    metrics = measure(opened, load_data(data) if data else opened.load_data(), model)
    if json:
        say_json(metrics)
        return
    for line in summary_lines(opened, metrics):
        say(line)

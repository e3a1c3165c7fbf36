"""The evaluation of a run, with what was measured before, and its figures in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autoencode.data import Data
from autoencode.evaluation.cache import MetricsCache
from autoencode.evaluation.evaluate import evaluate
from autoencode.evaluation.measures import QUICK
from autoencode.evaluation.records import Evaluation
from autoencode.io.folders import open_for_writing
from autoencode.io.hub import hub_address, refuse_hub_copy
from autoencode.io.store import write_json
from autoencode.models.build import Model
from autoencode.models.run import Run


def measure_run(
    run: Run, data: Data, model: Model, measures: Iterable[str] = QUICK, **options: Any
) -> Evaluation:
    """Evaluates the model of a run on the test part of `data`.

    On its own data, what was measured before is taken as it is, and each measure is kept in the
    folder of the run as soon as it is taken, where that can be written to.

    Raises:
        RunError: a folder of the run is a link, see `open_for_writing`.   Others as `evaluate`.
    """
    cache = None
    if data.fingerprint == run.data["fingerprint"]:
        if hub_address(run.folder) is None:  # a copy in the cache of the hub is only read
            open_for_writing(run.folder)
        cache = MetricsCache(run)
    return evaluate(model, data, measures, cache, **options)


def save_metrics(run: Run, data: Data, metrics: Mapping[str, Any]) -> None:
    """Writes the figures to `metrics.json` of the run, if they are of its own data.

    Raises:
        RunError: the folder cannot be written to.   ResourceError: the disk is full.
    """
    if data.fingerprint == run.data["fingerprint"]:
        refuse_hub_copy(run.folder)
        write_json(run.folder / "metrics.json", metrics)

"""The evaluation of many runs on many workers; each keeps its figures in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autoencode.data import Data
from autoencode.evaluation.of_runs import measure_run
from autoencode.models.run import Run, open_run
from autoencode.scale.tasks import require_seen

if TYPE_CHECKING:
    from distributed import Client


def measure_many(
    runs: Sequence[Run],
    measures: Sequence[str],
    options: Mapping[str, int],
    *,
    workers: int | None = None,
    cluster: str | Client | None = None,
) -> None:
    """Measures what is missing of runs on their own data; `measure_run` then finds it there.

    measures, options: as of `evaluate`.
    workers, cluster: as of `fit_many`; all workers see the runs and their data.

    Raises:
        RunError: the cluster cannot be reached or is lost, or a worker does not see a run.
        AutoencodeError: what the evaluation of a run raises.
        Interrupted: Ctrl-C or SIGTERM; what is measured stays.
    """
    from autoencode.scale.cluster import connected
    from autoencode.scale.jobs import cores
    from autoencode.scale.tasks import run_tasks

    folders = [run.folder.absolute() for run in runs]
    if folders:
        with connected(cluster, min(workers or cores(), len(folders))) as client:
            measure = partial(_measured, measures, options)
            run_tasks(client, measure, folders, lambda folder, _: None, "measuring")


def _measured(measures: Sequence[str], options: Mapping[str, int], folder: Path) -> None:
    """Measures a run in a worker."""
    require_seen(folder)
    run = open_run(folder)
    measure_run(run, _data_of(run), run.load_model(), measures, **options)


_kept: dict[str, Data] = {}  # the data of the last run, which most often are those of the next


def _data_of(run: Run) -> Data:
    key = repr((run.data["fingerprint"], run.data.get("preprocessing")))
    if key not in _kept:
        _kept.clear()
        _kept[key] = run.load_data()
    return _kept[key]

"""The content of an explorer page: models, and the test examples that they all show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.errors import RunError
from autoencode.evaluation.metrics.arrays import stratified_subset, subset
from autoencode.evaluation.thresholds import MIN_ACTIVE_KL_NATS
from autoencode.explorer.container import Container
from autoencode.explorer.model_payload import check_explorable, model_payload
from autoencode.explorer.sprite_sheet import add_sprite_sheet
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.run import Run
from autoencode.report.images import tiles
from autoencode.report.style import colours
from autoencode.version import __version__

FORMAT = 1
DEFAULT_POINTS = 5_000
# In the codes of one model, so that the file stays small enough for a browser.
MAX_CODE_NUMBERS = 4_000_000
# The label of an example without one.
UNLABELLED = 65_535
SEED = 0


def page_payload(
    runs: Sequence[Run],
    points: int = DEFAULT_POINTS,
    data: Data | None = None,
    models: Sequence[Model] | None = None,
    watched: bool = False,
) -> bytes:
    """Return the content of a page as a file, see `explorer.container`.

    points: maximum number of test examples. From a larger test part, examples are drawn with a
        fixed seed, stratified by class; fewer are drawn if codes are long.
    data: its test part is shown; None is the data of the runs.
    models: the models of the runs, if they are loaded already.
    watched: the page asks its server for newer versions.

    Raises:
        RunError: there are no runs, they have different data, or a run has no weights.
        AutoencodeError: a latent space has one dimension.
    """
    check_same_data(runs)
    models = [run.load_model() for run in runs] if models is None else models
    for model, run in zip(models, runs, strict=True):
        check_explorable(model, run)
    data = runs[0].load_data() if data is None else data
    longest = max(model.sizes.latent for model in models)
    rows = _rows(data, min(points, max(1, MAX_CODE_NUMBERS // longest)))
    container = Container()
    payloads = []
    for model, run in zip(models, runs, strict=True):
        context = conditioning(run.recipe, data.test)
        of_rows = None if context is None else context[rows]
        payloads.append(model_payload(run, model, data, rows, of_rows, container))
    return container.pack(
        {
            "format": FORMAT,
            "made_by": f"autoencode {__version__}",
            "data": data.name,
            "watched": watched,
            "min_active_kl_nats": MIN_ACTIVE_KL_NATS,
            "examples": {
                "held_out": all(run.data["fingerprint"] == data.fingerprint for run in runs),
                **_examples(data, rows, container),
            },
            "models": payloads,
        }
    )


def check_same_data(runs: Sequence[Run]) -> None:
    """Check that runs can share a page.

    Raises:
        RunError: there are no runs, or they were trained on different data.
    """
    if not runs:
        raise RunError("There is no run to explore", "Name the folder of a run.")
    first = runs[0]
    for run in runs[1:]:
        if run.data["fingerprint"] != first.data["fingerprint"]:
            raise RunError(
                f"{run.folder} and {first.folder} were trained on different data, and one page "
                "shows the same examples in each model",
                "Explore them one by one.",
            )


def _rows(data: Data, most: int) -> Tensor:
    """Positions of the test examples to show."""
    y, n = data.test.y, len(data.test)
    drawn = subset(n, most, SEED) if y is None else stratified_subset(y.numpy(), most, SEED)
    return torch.from_numpy(drawn)


def _examples(data: Data, rows: Tensor, container: Container) -> dict[str, Any]:
    """The images and labels of the test examples shown."""
    test, kind = data.test, len(data.test.x.shape) - 1
    labels = None
    if test.y is not None and data.classes:
        y = test.y[rows].numpy()
        labels = container.add(np.where(y < 0, UNLABELLED, y).astype(np.uint16))
    return {
        "count": len(rows),
        "total": len(test),
        "part": "test",
        "stratified": test.y is not None,
        "rows": container.add(rows.numpy().astype(np.uint32)),
        "kind": "vector" if kind == 1 else "image",
        "labels": labels,
        "classes": list(data.classes),
        "colours": colours(len(data.classes)),
        **add_sprite_sheet(tiles(scaled(test.x[rows]), kind=kind), container),
    }

"""What the explorer's page is made of: some models, and the test examples that are shown."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoencode.data import Data, scaled
from autoencode.errors import RunError
from autoencode.evaluation.metrics.arrays import stratified_subset, subset
from autoencode.explorer.container import Container
from autoencode.explorer.model_payload import Sitter, check_explorable, portrait
from autoencode.explorer.sprite_sheet import sheet
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.run import Run
from autoencode.report.images import tiles
from autoencode.report.style import colours

FORMAT = 1
POINTS = 5_000
# Numbers in all codes that are shown of one model, and in all pictures: a page stays a page.
MOST_NUMBERS = 4_000_000
SEED = 0


def scene(
    runs: Sequence[Run],
    points: int = POINTS,
    data: Data | None = None,
    models: Sequence[Model] | None = None,
    watched: bool = False,
) -> bytes:
    """The content of a page, packed, see `explorer.container`.

    points: test examples shown; of more, so many are drawn by a fixed seed, each class at its
        share, and fewer where codes are long.
    data: whose test part is shown; None is that of the runs.
    models: those of the runs, where they are at hand.
    watched: the page asks its server whether there is a newer one.

    Raises:
        RunError: no runs, runs of other data, or without weights.
        AutoencodeError: codes of one number.
    """
    check_alike(runs)
    models = [run.load_model() for run in runs] if models is None else models
    for model, run in zip(models, runs, strict=True):
        check_explorable(model, run)
    data = runs[0].load_data() if data is None else data
    longest = max(model.sizes.latent for model in models)
    rows = _shown(data, min(points, max(1, MOST_NUMBERS // longest)))
    container = Container()
    portraits = []
    for model, run in zip(models, runs, strict=True):
        told = conditioning(run.recipe, data.test)
        sitter = Sitter(run, model, data, rows, None if told is None else told[rows])
        portraits.append(portrait(sitter, container))
    return container.pack(
        {
            "format": FORMAT,
            "made_by": f"autoencode {version('autoencode')}",
            "data": data.name,
            "watched": watched,
            "examples": {
                "unseen": all(run.data["fingerprint"] == data.fingerprint for run in runs),
                **_examples(data, rows, container),
            },
            "models": portraits,
        }
    )


def check_alike(runs: Sequence[Run]) -> None:
    """Refuses runs that cannot stand on one page.

    Raises:
        RunError: none, or runs of other data.
    """
    if not runs:
        raise RunError("There is no run to explore", "Name the folder of one.")
    first = runs[0]
    for run in runs[1:]:
        if run.data["fingerprint"] != first.data["fingerprint"]:
            raise RunError(
                f"{run.folder} and {first.folder} were trained on different data, and one page "
                "shows the same examples in each model",
                "Explore them one by one.",
            )


def _shown(data: Data, most: int) -> Tensor:
    """Positions of the test examples that are shown."""
    y, n = data.test.y, len(data.test)
    drawn = subset(n, most, SEED) if y is None else stratified_subset(y.numpy(), most, SEED)
    return torch.from_numpy(drawn)


def _examples(data: Data, rows: Tensor, container: Container) -> dict[str, Any]:
    """The pictures and labels of what is shown."""
    test, kind = data.test, len(data.test.x.shape) - 1
    pictures = tiles(scaled(test.x[rows]), kind=kind)
    found: dict[str, Any] = {
        "shown": len(rows),
        "of": len(test),
        "part": "test",
        "rows": container.add(rows.numpy().astype(np.uint32)),
        "kind": "vector" if kind == 1 else "image",
        "labels": None,
        "classes": list(data.classes),
        "colours": colours(len(data.classes)),
        **sheet(pictures, container),
    }
    if test.y is not None and data.classes:
        # 65,535 stands for no label.
        labels = test.y[rows].numpy()
        found["labels"] = container.add(np.where(labels < 0, 65_535, labels).astype(np.uint16))
    return found

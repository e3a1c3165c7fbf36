"""Projections of a run's test codes to a plane, saved in its folder, so that each is made once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor

from autoencode.arguments import Seed, Within, check_value
from autoencode.data import Data
from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.evaluation.cache import origin
from autoencode.evaluation.metrics.arrays import stratified_subset, subset
from autoencode.explore import project
from autoencode.io.folders import open_folder
from autoencode.io.tensors import read_tensors, write_tensors
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.inference import embed
from autoencode.models.run import Run

FOLDER = "projections"
# More points overlap, and take minutes.
MAX_POINTS = 5_000


@dataclass(frozen=True)
class Projection:
    """Positions of test codes on a plane.

    points: float32, [N, 2].    rows: positions of their examples in the test part, [N].
    method, seed: as in `explore.project`.    of: the number of examples in the test part.
    """

    points: Float[Tensor, "n 2"]
    rows: Int[Tensor, " n"]
    method: str
    seed: int
    of: int


def projected(
    run: Run, data: Data, model: Model | None = None, method: str = "tsne", seed: int = 0
) -> Projection:
    """The projection of the codes of a run's test examples: a saved one, else a new one.

    A new one is saved in the folder of the run, if that can be written to. Of more examples, 5,000
    are drawn by the seed, each class at its share.
    model: the model of the run, if it is loaded already.

    Raises:
        DataError: the run was trained on other data.
        AutoencodeError, Diverged: as `explore.project`.
        RunError: the run has no weights.
    """
    if data.fingerprint != run.data["fingerprint"]:
        raise DataError(f"{data.name} is not the data that {run.folder} was trained on")
    saved = saved_projection(run, method)
    if saved is not None and saved.seed == seed and saved.of == len(data.test):
        return saved
    model, test = run.load_model() if model is None else model, data.test
    n = len(test)
    rows = torch.from_numpy(
        subset(n, MAX_POINTS, seed)
        if test.y is None
        else stratified_subset(test.y.numpy(), MAX_POINTS, seed)
    )
    context = conditioning(run.recipe, test)
    codes = embed(model, test.x[rows], None if context is None else context[rows])
    found = Projection(project(codes, method, seed), rows, method, seed, n)
    # A projection that cannot be saved is still returned.
    with suppress(AutoencodeError):
        open_folder(run.folder, FOLDER)
        meta = {"method": method, "seed": seed, "of": n, **origin(run)}
        write_tensors(_path(run, method), {"points": found.points, "rows": rows}, meta)
    return found


def saved_projection(run: Run, method: str) -> Projection | None:
    """The projection in a run's folder, if it is intact and of the same weights and data."""
    try:
        tensors, meta = read_tensors(_path(run, method))
        if {name: meta.get(name) for name in ("weights", "data")} != origin(run):
            return None
        for name, kind in (("of", Annotated[int, Within(1, 10**12)]), ("seed", Seed)):
            check_value(meta.get(name), kind, name, RunError)
    except AutoencodeError:  # not there, or damaged
        return None
    points, rows, of = tensors.get("points"), tensors.get("rows"), meta["of"]
    if points is None or rows is None or meta.get("method") != method:
        return None
    if (points.dtype, rows.dtype) != (torch.float32, torch.int64) or rows.dim() != 1:
        return None
    if points.shape != (len(rows), 2) or not bool(points.isfinite().all()):
        return None
    if len(rows) == 0 or not bool(((rows >= 0) & (rows < of)).all()):
        return None
    return Projection(points, rows, method, meta["seed"], of)


def _path(run: Run, method: str) -> Path:
    return run.folder / FOLDER / f"{method}.safetensors"

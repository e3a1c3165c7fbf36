"""Maps of a run's test codes, kept in its folder, so that each is made once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from autoencode.data import Data
from autoencode.errors import AutoencodeError, DataError, RunError
from autoencode.evaluation.cache import origin
from autoencode.evaluation.metrics.points import chosen, in_proportion
from autoencode.explore import project
from autoencode.io.store import read_tensors, write_tensors, writing
from autoencode.models.build import Model
from autoencode.models.conditions import conditioning
from autoencode.models.inference import embed
from autoencode.models.run import Run

FOLDER = "projections"
# More points hide each other, and take minutes.
MOST = 5_000


@dataclass(frozen=True)
class Projection:
    """Where test codes lie on a plane.

    points: float32, [N, 2].    rows: positions of their examples in the test part, [N].
    method, seed: as of `explore.project`.    of: how many examples the test part has.
    """

    points: Float[Tensor, "n 2"]
    rows: Int[Tensor, " n"]
    method: str
    seed: int
    of: int


def projected(
    run: Run, data: Data, model: Model | None = None, method: str = "tsne", seed: int = 0
) -> Projection:
    """The projection of the codes of a run's test examples: the one that is kept, else a new one.

    A new one is kept in the folder of the run, where that can be written to. Of more than 5,000
    examples so many are drawn by the seed, each class at its share.
    model: the run's, where it is at hand.

    Raises:
        DataError: the data are not those of the run.
        AutoencodeError, Diverged: as `explore.project`.
        RunError: the run has no weights.
    """
    if data.fingerprint != run.data["fingerprint"]:
        raise DataError(f"{data.name} are not the data that {run.folder} was trained on")
    kept = kept_projection(run, method)
    if kept is not None and kept.seed == seed:
        return kept
    model, test = run.load_model() if model is None else model, data.test
    n = len(test)
    drawn = chosen(n, MOST, seed) if test.y is None else in_proportion(test.y.numpy(), MOST, seed)
    rows = torch.from_numpy(drawn)
    told = conditioning(run.recipe, test)
    codes = embed(model, test.x[rows], None if told is None else told[rows])
    found = Projection(project(codes, method, seed), rows, method, seed, n)
    # A folder that cannot be written to costs no map.
    with suppress(AutoencodeError):
        _keep(run, found)
    return found


def kept_projection(run: Run, method: str) -> Projection | None:
    """The projection that is kept in a run's folder, if it is whole and of its weights and data."""
    try:
        tensors, meta = read_tensors(_path(run, method))
        if {name: meta.get(name) for name in ("weights", "data")} != origin(run):
            return None
        points, rows, of = tensors["points"], tensors["rows"], int(meta["of"])
        if points.shape != (len(rows), 2) or not bool(((rows >= 0) & (rows < of)).all()):
            return None
        return Projection(points, rows, method, int(meta["seed"]), of)
    except (RunError, KeyError, OSError, TypeError, ValueError):  # not there, or damaged
        return None


def _keep(run: Run, found: Projection) -> None:
    path = _path(run, found.method)
    with writing(path):
        path.parent.mkdir(exist_ok=True)
    meta: dict[str, Any] = {
        "method": found.method,
        "seed": found.seed,
        "of": found.of,
        **origin(run),
    }
    write_tensors(path, {"points": found.points, "rows": found.rows}, meta)


def _path(run: Run, method: str) -> Path:
    return run.folder / FOLDER / f"{method}.safetensors"

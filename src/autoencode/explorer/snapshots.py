"""A training as the explorer's page shows it: the plane of codes, and what it decodes to."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from autoencode.contract import Autoencoder, Space
from autoencode.data import Data
from autoencode.explore import Plane, lattice
from autoencode.explorer.container import Container
from autoencode.explorer.sprite_sheet import sheet
from autoencode.models.inference import decode, embed
from autoencode.models.run import Run
from autoencode.models.snapshots import load_snapshot, snapshots_of
from autoencode.report.images import tiles

# Examples in a frame, and pictures to a side of its grid.
POINTS, SIDE = 1_000, 12
# The share of the codes along each axis that a frame leaves out at either end: a stray code would
# make all others small.
STRAYS = 0.005


def snapshots(
    run: Run, data: Data, rows: Tensor, told: Tensor | None, plane: Plane, container: Container
) -> list[dict[str, Any]]:
    """What the header says of each frame that the run has kept; none where it kept none.

    Discrete codes have no film: a plane through them is no plane of codes.

    rows, told: as of `portrait.Sitter`.    plane: the one that the trained model is seen on.
    """
    rows, told = rows[:POINTS], None if told is None else told[:POINTS]
    found: list[dict[str, Any]] = []
    for step, path in snapshots_of(run).items():
        model = load_snapshot(run, path)
        if model.space is Space.CODES:
            return []
        codes = embed(model, data.test.x[rows], told).flatten(1).float()
        if not bool(codes.isfinite().all()):
            continue
        points = plane.project(codes)
        low, high = (points.quantile(q, dim=0) for q in (STRAYS, 1 - STRAYS))
        # The plane is as wide as it is high.
        half = (high - low).max().clamp_min(1e-3) * 0.55
        middle = (low + high) / 2
        square = cells(middle - half, middle + half, SIDE)
        found.append(
            {
                "step": step,
                "points": container.add(points.numpy().astype(np.float16)),
                "low": (middle - half).tolist(),
                "high": (middle + half).tolist(),
                **_grid(model, plane.lift(square), told, container),
            }
        )
    return found


def cells(low: Tensor, high: Tensor, side: int) -> Tensor:
    """The middles of side × side cells of a rectangle, in rows from the top, [side², 2]."""
    inset = (high - low) / (2 * side)
    return lattice((low + inset).tolist(), (high - inset).tolist(), side)


def _grid(
    model: Autoencoder, codes: Tensor, told: Tensor | None, container: Container
) -> dict[str, Any]:
    """What the codes of a lattice decode to."""
    # A conditional model is told what it was of the first example.
    known = None if told is None else told[:1].expand(len(codes), *told.shape[1:])
    images = decode(model, codes, known)
    return sheet(tiles(images, kind=len(model.sizes.x)), container, columns=SIDE, exactly=False)

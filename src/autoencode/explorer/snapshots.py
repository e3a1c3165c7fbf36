"""The training progress of a run on its page: codes and decoded images at some training steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from autoencode.contract import Space
from autoencode.data import Data
from autoencode.explore import Plane, lattice
from autoencode.explorer.container import Container
from autoencode.explorer.sprite_sheet import add_sprite_sheet
from autoencode.models.inference import decode, embed
from autoencode.models.run import Run
from autoencode.models.snapshots import load_snapshot, snapshots_of
from autoencode.report.images import tiles

MAX_EXAMPLES = 1_000
# Decoded images along each side of the grid.
GRID_SIDE = 12
# The share of codes beyond each end of an axis that a snapshot may cut off: with a few outliers in
# view, all other codes would be crowded together.
OUTLIER_SHARE = 0.005


def snapshots_payload(
    run: Run, data: Data, rows: Tensor, context: Tensor | None, plane: Plane, container: Container
) -> list[dict[str, Any]]:
    """Return the header entries of a run's snapshots; empty for a run without snapshots.

    Models with discrete codes have none: a plane through their latent space holds no codes.

    rows: positions in the test part, [N].   context: of these examples, [N] or [N, C], or None.
    plane: the plane that shows the codes of the trained model.
    """
    rows, context = rows[:MAX_EXAMPLES], None if context is None else context[:MAX_EXAMPLES]
    found: list[dict[str, Any]] = []
    for step, path in snapshots_of(run).items():
        model = load_snapshot(run, path)
        if model.space is Space.CODES:
            return []
        codes = embed(model, data.test.x[rows], context).flatten(1).float()
        if not bool(codes.isfinite().all()):
            continue
        points = plane.project(codes)
        low, high = (points.quantile(q, dim=0) for q in (OUTLIER_SHARE, 1 - OUTLIER_SHARE))
        # Both axes have the same scale.
        half = (high - low).max().clamp_min(1e-3) * 0.55
        low, high = (low + high) / 2 - half, (low + high) / 2 + half
        grid = plane.lift(cell_centres(low, high, GRID_SIDE))
        # The whole grid is decoded under the context of the first example.
        same = None if context is None else context[:1].expand(len(grid), *context.shape[1:])
        images = tiles(decode(model, grid, same), kind=len(model.sizes.x))
        found.append(
            {
                "step": step,
                "points": container.add(points.numpy().astype(np.float16)),
                "low": low.tolist(),
                "high": high.tolist(),
                **add_sprite_sheet(images, container, columns=GRID_SIDE, lossless=False),
            }
        )
    return found


def cell_centres(low: Tensor, high: Tensor, side: int) -> Tensor:
    """The centres of side × side cells of a rectangle, in rows from the top, [side², 2]."""
    inset = (high - low) / (2 * side)
    return lattice((low + inset).tolist(), (high - inset).tolist(), side)

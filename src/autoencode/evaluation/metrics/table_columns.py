"""How well the columns of a table are reconstructed: R² of numbers, accuracy of categories."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoencode.evaluation.metrics.quality import squared_differences

# A column whose squares around the mean are below this has no spread, and so no R².
MIN_SQUARES = 1e-9


def column_squares(x: Tensor, y: Tensor) -> Tensor:
    """Σₙ (xₙ − yₙ)² of each column: rows [N, D] and their reconstructions to [D], float64.

    A missing value of x, NaN, contributes nothing. Sums of batches add up to the sum of all.

    Raises:
        DataError: different shapes, or integers other than uint8.
    """
    return squared_differences(x, y).sum(0, dtype=torch.float64)


def r2_per_column(errors: Tensor, spreads: Tensor) -> Tensor:
    """R² = 1 − SSE / SS of each column, [D]; NaN for a column without spread.

    errors: squared errors of the reconstructions, [D], see `column_squares`.
    spreads: squared differences from the mean of the training examples, [D].
    """
    return torch.where(spreads > MIN_SQUARES, 1 - errors / spreads, torch.nan)


def category_hits(x: Tensor, y: Tensor, blocks: Sequence[slice]) -> Tensor:
    """Whether each category is reconstructed: rows [N, D] twice to [N, C], 1, 0, NaN for missing.

    blocks: the one-hot block of each of the C categorical columns. The reconstructed category is
        the one with the highest value.
    """
    columns = []
    for block in blocks:
        hits = (x[:, block].nan_to_num(0.0).argmax(1) == y[:, block].argmax(1)).double()
        columns.append(hits.masked_fill(x[:, block].isnan().any(1), torch.nan))
    return torch.stack(columns, 1) if columns else torch.zeros(len(x), 0, dtype=torch.float64)

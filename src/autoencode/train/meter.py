"""Means over the steps between two lines of the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# Steps whose figures are added up in one operation.
STEPS_PER_SUM = 64


class Meter:
    """Sums of what the steps since the last line of the log reported."""

    def __init__(self, steps: int) -> None:
        """The number of steps between two lines of the log."""
        # The squared error costs one more pass over the images, so only some steps compute it.
        self.every = max(1, steps // 5)
        self.sums: dict[str, Tensor] = {}
        # Values that are not in the sums yet.
        self.pending: dict[str, list[Tensor]] = {}
        self.squared_errors: list[Tensor] = []
        self.steps, self.seconds = 0, 0.0

    def wants_error(self, step: int) -> bool:
        """Whether the squared error of this step is to be computed."""
        return step % self.every == 0 or self.steps == 0

    def add(self, loss: Tensor, terms: Mapping[str, Tensor], error: Tensor | None) -> None:
        """Adds one step, without waiting for an accelerator; each value is []."""
        for name, value in ("loss", loss), *terms.items():
            self.pending.setdefault(name, []).append(value)
        if error is not None:
            self.squared_errors.append(error)
        self.steps += 1
        if self.steps % STEPS_PER_SUM == 0:
            self._sum_pending()

    def _sum_pending(self) -> None:
        for name, values in self.pending.items():
            total = torch.stack(values).sum(0)
            self.sums[name] = self.sums[name] + total if name in self.sums else total
        self.pending = {}

    def means(self, batch_size: int) -> dict[str, Any]:
        """The means over the steps, as a line of the log holds them."""
        self._sum_pending()
        means = {name: total.item() / self.steps for name, total in self.sums.items()}
        rate = self.steps * batch_size / self.seconds if self.seconds else 0
        return {
            "loss": means.pop("loss"),
            "terms": means,
            "squared_error": torch.stack(self.squared_errors).mean().item(),
            "images_per_second": round(rate),
        }


def squared_error(mean: Tensor, x: Tensor) -> Tensor:
    """Squared error, summed over pixels and averaged over [*S, B], [].

    mean: reconstructions, [*S, B, *X].   x: their targets, [B, *X]; missing values, NaN, are left
    out.
    """
    return (mean - x).square().flatten(mean.dim() - x.dim() + 1).nansum(-1).mean()

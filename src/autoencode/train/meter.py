"""Sums of what the steps between two lines of the log reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Steps whose figures are added up in one operation.
AT_ONCE = 64


class Stepped(NamedTuple):
    """What one update of the weights reports, without gradients.

    loss: [].   terms: each unweighted, nats for an example, [].
    error: gives the squared error, summed over pixels, for an example, [].
    """

    loss: Tensor
    terms: dict[str, Tensor]
    error: Callable[[], Tensor]


class Meter:
    """Sums of what the steps since the last line of the log reported."""

    def __init__(self, steps: int) -> None:
        # The squared error costs one more pass over the images, so only some steps pay it.
        self.every = max(1, steps // 5)
        self.sums: dict[str, Tensor] = {}
        # Not added up yet.
        self.seen: dict[str, list[Tensor]] = {}
        self.errors: list[Tensor] = []
        self.steps, self.seconds = 0, 0.0

    def add(self, stepped: Stepped, step: int) -> None:
        """Takes one step in, without waiting for an accelerator."""
        for name, value in ("loss", stepped.loss), *stepped.terms.items():
            self.seen.setdefault(name, []).append(value)
        if step % self.every == 0 or self.steps == 0:
            self.errors.append(stepped.error())
        self.steps += 1
        if self.steps % AT_ONCE == 0:
            self._add_up()

    def _add_up(self) -> None:
        for name, values in self.seen.items():
            total = torch.stack(values).sum(0)
            self.sums[name] = self.sums[name] + total if name in self.sums else total
        self.seen = {}

    def of_each(self) -> list[Meter]:
        """Where the numbers are those of many models, [models], a meter of each."""
        self._add_up()
        sums = {name: total.cpu().unbind() for name, total in self.sums.items()}
        errors = torch.stack(self.errors).cpu().unbind(1)
        found = []
        for i, own in enumerate(errors):
            meter = Meter(self.steps)
            meter.steps, meter.seconds = self.steps, self.seconds
            meter.sums = {name: each[i] for name, each in sums.items()}
            meter.errors = list(own.unbind())
            found.append(meter)
        return found

    def line(self, images: int) -> dict[str, Any]:
        """What a line of the log says of them: means over the steps, of so many images each."""
        self._add_up()
        means = {name: total.item() / self.steps for name, total in self.sums.items()}
        return {
            "loss": means.pop("loss"),
            "terms": means,
            "squared_error": torch.stack(self.errors).mean().item(),
            "images_per_second": round(self.steps * images / self.seconds) if self.seconds else 0,
        }


def squared_error(mean: Tensor, x: Tensor) -> Tensor:
    """Summed over pixels and averaged over [*S, B], []: what one reconstruction misses."""
    return (mean - x).square().flatten(mean.dim() - x.dim() + 1).sum(-1).mean()

"""The distribution of rows of a table: normal numbers and categories, some of them missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional


class RowDistribution(Distribution):
    """Independent columns: numbers are normal, categories are one-hot blocks of D values in all.

    `log_prob` leaves out the values that are NaN, so that it is the log-likelihood of the observed
    cells. It equals the sum of `Normal.log_prob` and `Categorical.log_prob` over these cells.
    """

    arg_constraints = {"theta": constraints.real}  # noqa: RUF012
    has_rsample = False

    def __init__(
        self,
        theta: Float[Tensor, "*batch_event"],
        scale: Tensor,
        widths: Sequence[int] = (),
        event_dims: int = 1,
    ) -> None:
        """Means of numbers and logits of categories.

        scale: standard deviations of the numbers, [] or one for each, in their order.
        widths: of each column, 0 for a number and the number of categories for a block; () if all
            values are numbers, which may then have more than one dimension.
        """
        self.theta, self.scale = theta, scale
        self.widths = tuple(widths) if any(widths) else ()
        cut = theta.dim() - event_dims
        super().__init__(theta.shape[:cut], theta.shape[cut:], validate_args=False)

    @property
    def support(self) -> Any:
        """All real values."""
        return constraints.independent(constraints.real, len(self.event_shape))  # type: ignore[no-untyped-call]

    @property
    def mean(self) -> Tensor:
        """Means of numbers and probabilities of categories, [*batch, D]."""
        if not self.widths:
            return self.theta
        parts = torch.split(self.theta, [width or 1 for width in self.widths], -1)
        return torch.cat(
            [
                part.softmax(-1) if width else part
                for part, width in zip(parts, self.widths, strict=True)
            ],
            -1,
        )

    @property
    def variance(self) -> Tensor:
        """[*batch, D]."""
        if not self.widths:
            return self.scale.square().expand_as(self.theta)
        mean = self.mean
        found = mean * (1 - mean)
        numbers = self._numbers(self.theta.device)
        found[..., numbers] = self.scale.square().expand(*mean.shape[:-1], len(numbers))
        return found

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, D], with one-hot blocks."""
        shape = self._extended_shape(Size(sample_shape))
        if not self.widths:
            return self.theta + self.scale * torch.randn(shape, device=self.theta.device)
        with torch.no_grad():
            sizes = [width or 1 for width in self.widths]
            parts = torch.split(self.theta.expand(shape), sizes, -1)
            found, number = [], 0
            for part, width in zip(parts, self.widths, strict=True):
                if width:
                    drawn = torch.distributions.OneHotCategorical(logits=part).sample()  # type: ignore[no-untyped-call]
                    found.append(drawn)
                    continue
                scale = self.scale if self.scale.dim() == 0 else self.scale[number]
                found.append(part + scale * torch.randn_like(part))
                number += 1
            return torch.cat(found, -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch], of the values that are not NaN."""
        known = ~torch.isnan(value)
        filled = torch.where(known, value, 0.0)
        numbers = self._numbers(value.device) if self.widths else slice(None)
        event = tuple(range(-len(self.event_shape), 0))
        scaled = (filled[..., numbers] - self.theta[..., numbers]) / self.scale
        each = -0.5 * scaled.square() - self.scale.log() - 0.5 * math.log(2 * math.pi)
        total = torch.where(known[..., numbers], each, 0.0).sum(event)
        start = 0
        for width in self.widths:
            if width:
                logits = self.theta[..., start : start + width]
                # A missing category is a block of zeros here.
                block = filled[..., start : start + width]
                total = total + (block * functional.log_softmax(logits, -1)).sum(-1)
            start += width or 1
        return total

    def _numbers(self, device: torch.device) -> Tensor:
        """The positions of the numbers among the D values."""
        found, start = [], 0
        for width in self.widths:
            found += [] if width else [start]
            start += width or 1
        return torch.tensor(found, dtype=torch.int64, device=device)

"""Normal distributions of images and of codes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor
from torch.distributions import Distribution, Independent, Normal, constraints
from torch.nn import functional

from autoencode.maths.sharding import batch_noise, current_shard


class SharedScaleNormal(Distribution):
    """Normal distribution of images, N(loc, scale² I), with one scale for all pixels.

    It equals `torch.distributions.Independent(Normal(loc, scale), k)`, with a faster `log_prob`,
    because it does not expand the scale to the size of the image.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}  # noqa: RUF012
    has_rsample = True

    def __init__(self, loc: Float[Tensor, "*batch_event"], scale: Tensor, event_dims: int) -> None:
        """Mean of shape [*batch, *event]; the last `event_dims` dimensions are the event."""
        self.loc, self.scale = loc, scale
        cut = loc.dim() - event_dims
        super().__init__(loc.shape[:cut], loc.shape[cut:], validate_args=False)

    @property
    def support(self) -> Any:
        """All real images."""
        return constraints.real_vector if self.event_shape else constraints.real

    @property
    def mean(self) -> Tensor:
        """[*batch, *event]."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """[*batch, *event]."""
        return self.scale.square().expand_as(self.loc)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, *event], differentiable in loc and scale."""
        shape = self._extended_shape(Size(sample_shape))
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + self.scale * noise

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]: −½‖x − μ‖²/σ² − n·ln σ − ½n·ln 2π, for n values per event."""
        event = tuple(range(-len(self.event_shape), 0))
        value, loc = torch.broadcast_tensors(value, self.loc)  # type: ignore[no-untyped-call]
        # mse_loss makes one pass over the images; a difference and its square would make two.
        squares = functional.mse_loss(loc, value, reduction="none").sum(event)
        n = self.event_shape.numel()
        return (
            -0.5 * squares / self.scale.square()
            - n * self.scale.log()
            - 0.5 * n * math.log(2 * math.pi)
        )

    def entropy(self) -> Tensor:
        """Nats, [*batch]."""
        n = self.event_shape.numel()
        each = n * (0.5 * math.log(2 * math.pi * math.e) + self.scale.log())
        return each.expand(self.batch_shape)


class NormalOfExamples(Normal):
    """`torch.distributions.Normal` with batch [B, …], one row for each example of a batch.

    If several processes divide the batch, samples are the rows of those of the whole batch.
    """

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, B, …], differentiable in both parameters."""
        if current_shard() is None:
            return super().rsample(Size(sample_shape))
        shape = self._extended_shape(Size(sample_shape))
        draw = partial(torch.randn, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + batch_noise(draw, shape, len(sample_shape)) * self.scale


def standard_normal(shape: tuple[int, ...], like: Tensor) -> Independent[Normal]:
    """N(0, I) with event `shape`, on the device and in the precision of `like`."""
    zeros = torch.zeros(shape, dtype=like.dtype, device=like.device)
    return Independent(Normal(zeros, torch.ones_like(zeros), validate_args=False), len(shape))

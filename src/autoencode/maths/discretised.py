"""Discretised logistic distributions of 8-bit images."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional

# Values of an 8-bit image; as tensors they are 0, 1/255, …, 1.
LEVELS = 256
STEP = 1 / (LEVELS - 1)


def level_of(x: Tensor) -> Tensor:
    """The number 0, …, 255 of the level that is nearest to each value, floats of the same shape."""
    return (x * (LEVELS - 1)).round().clamp(0, LEVELS - 1)


class LevelDistribution(Distribution):
    """Base class of distributions of the 256 levels: `log_prob` is of probabilities, at most 0.

    Values between two levels have the probability of the nearest one.
    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, loc: Tensor, event_dims: int, batch: Size) -> None:
        self.loc = loc
        super().__init__(batch, loc.shape[loc.dim() - event_dims :], validate_args=False)

    @property
    def support(self) -> Any:
        """Images with values in [0, 1]."""
        return constraints.independent(constraints.unit_interval, len(self.event_shape))  # type: ignore[no-untyped-call]


class DiscretisedLogistic(LevelDistribution):
    """Independent discretised logistic pixels, ∏ P(xᵢ), over the levels 0, 1/255, …, 1.

    P(x) = σ((x + h − μ)/s) − σ((x − h − μ)/s) with the logistic function σ and h = 1/510. The first
    and the last level hold the tails: the first summand is 1 at x = 1, the second is 0 at x = 0.
    Source: [kingma2016], [salimans2017].
    """

    def __init__(
        self,
        loc: Float[Tensor, "*batch_event"],
        log_scale: Float[Tensor, "*batch_event"],
        event_dims: int,
    ) -> None:
        """μ and ln s, [*batch, *event]; the last `event_dims` dimensions are the event."""
        self.log_scale = log_scale
        super().__init__(loc, event_dims, loc.shape[: loc.dim() - event_dims])

    @property
    def mean(self) -> Tensor:
        """[*batch, *event], see `logistic_mean`."""
        return logistic_mean(self.loc, self.log_scale)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, *event]."""
        shape = self._extended_shape(Size(sample_shape))
        with torch.no_grad():
            return logistic_sample(self.loc.expand(shape), self.log_scale.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]: Σᵢ ln P(xᵢ)."""
        event = tuple(range(-len(self.event_shape), 0))
        return logistic_log_prob(value, self.loc, self.log_scale).sum(event)


class DiscretisedLogisticMixture(LevelDistribution):
    """Independent pixels, each a mixture of K products of discretised logistics over its channels.

    P(x) = Σₖ πₖ ∏_c P(x_c; μₖ_c, sₖ_c), with the product over the channels of a colour image
    [C, H, W]: the channels of a pixel share its component. In other images and in vectors each
    value has a mixture of its own.  Source: [salimans2017].
    """

    def __init__(
        self, log_weights: Tensor, loc: Tensor, log_scale: Tensor, event_dims: int
    ) -> None:
        """μ and ln s, [*batch, K, *event]; ln π, the same with one channel for images [C, H, W]."""
        self.log_weights, self.log_scale = log_weights, log_scale
        super().__init__(loc, event_dims, loc.shape[: loc.dim() - event_dims - 1])

    @property
    def mean(self) -> Tensor:
        """[*batch, *event]: Σₖ πₖ times the mean of component k, see `logistic_mean`."""
        means = self.log_weights.exp() * logistic_mean(self.loc, self.log_scale)
        return means.sum(-1 - len(self.event_shape))

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Samples [*sample_shape, *batch, *event]."""
        shape, dim = Size(sample_shape), -1 - len(self.event_shape)
        with torch.no_grad():
            weights, loc, log_scale = (
                each.expand(*shape, *each.shape)
                for each in (self.log_weights, self.loc, self.log_scale)
            )
            noise = torch.empty(weights.shape, dtype=weights.dtype, device=weights.device)
            # With Gumbel noise, the maximum is a draw of the component.
            chosen = (weights - noise.exponential_().log()).argmax(dim, keepdim=True)
            chosen = chosen.expand(*loc.shape[:dim], 1, *self.event_shape)
            picked = (each.take_along_dim(chosen, dim).squeeze(dim) for each in (loc, log_scale))
            return logistic_sample(*picked)

    def log_prob(self, value: Tensor) -> Tensor:
        """Nats, [*batch]: the sum of ln P over the pixels."""
        dims = len(self.event_shape)
        each = logistic_log_prob(value.unsqueeze(-1 - dims), self.loc, self.log_scale)
        if dims == 3:
            each = each.sum(-3, keepdim=True)
        return (self.log_weights + each).logsumexp(-1 - dims).sum(tuple(range(-dims, 0)))


def logistic_log_prob(value: Tensor, loc: Tensor, log_scale: Tensor) -> Tensor:
    """ln of the probability of the level nearest to each value, nats, in the broadcast shape.

    σ(b) − σ(a) = σ(b) σ(−a) (1 − exp(a − b)), whose logarithm loses no digits anywhere.
    """
    level = level_of(value)
    first, last = level == 0, level == LEVELS - 1
    inverse = (-log_scale).exp()
    centre = (level * STEP - loc) * inverse
    width = STEP * inverse
    below = functional.logsigmoid(centre + width / 2).masked_fill(last, 0.0)
    above = functional.logsigmoid(width / 2 - centre).masked_fill(first, 0.0)
    inside = torch.log(-torch.expm1(-width)).expand_as(centre).masked_fill(first | last, 0.0)
    return below + above + inside


def logistic_mean(loc: Tensor, log_scale: Tensor) -> Tensor:
    """The mean of a logistic distribution whose tails beyond 0 and 1 are moved to 0 and 1.

    ∫₀¹ σ((μ − t)/s) dt = s (ln(1 + e^(μ/s)) − ln(1 + e^((μ − 1)/s))). The mean of the levels is the
    sum that approximates the integral with steps of 1/255. The two differ by less than half a
    level, 1/510, and by less than a fiftieth of a level for s ≥ 1/255.
    """
    scale = log_scale.exp()
    inverse = (-log_scale).exp()
    rise = functional.softplus(loc * inverse) - functional.softplus((loc - 1) * inverse)
    return (scale * rise).clamp(0, 1)


def logistic_sample(loc: Tensor, log_scale: Tensor) -> Tensor:
    """Samples of the levels, in the shape of `loc`."""
    uniform = torch.rand(loc.shape, dtype=loc.dtype, device=loc.device)
    # Divided as bytes are, so that the values are those of images.
    return level_of(loc + log_scale.exp() * torch.logit(uniform)) / (LEVELS - 1)

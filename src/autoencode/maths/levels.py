"""The probability that a likelihood gives to the 256 levels of 8-bit images."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Laplace, MixtureSameFamily, Normal

from autoencode.maths.discretised import LEVELS, STEP, LevelDistribution, level_of
from autoencode.maths.normal import SharedScaleNormal


def level_log_prob(px: Distribution, x: Tensor) -> Tensor | None:
    """ln P(x|z) of images with the levels 0, 1/255, …, 1, nats, [*batch]; at most 0.

    A normal or Laplace density becomes a distribution of the levels: each level has the integral of
    the density over its interval, [x − 1/510, x + 1/510], and the first and the last level the
    tails. It is exact and needs no dequantisation. A distribution of the levels stays as it is.

    None for other distributions, such as Bernoulli, whose values are not 8-bit levels.
    """
    if isinstance(px, LevelDistribution):
        nats: Tensor = px.log_prob(x)
        return nats
    if isinstance(px, MixtureSameFamily):
        each = level_log_prob(px.component_distribution, x.unsqueeze(-1 - len(px.event_shape)))
        weights = px.mixture_distribution.logits.log_softmax(-1)
        return None if each is None else (weights + each).logsumexp(-1)
    base = px.base_dist if isinstance(px, Independent) else px
    if not isinstance(base, SharedScaleNormal | Normal | Laplace):
        return None
    level = level_of(x)
    inverse = 1 / base.scale
    centre = (level * STEP - base.loc) * inverse
    half = STEP / 2 * inverse
    lower = (centre - half).masked_fill(level == 0, -math.inf)
    upper = (centre + half).masked_fill(level == LEVELS - 1, math.inf)
    # Both densities are symmetric, and no digits are lost on the side below the mean.
    flipped = lower + upper > 0
    lower, upper = torch.where(flipped, -upper, lower), torch.where(flipped, -lower, upper)
    interval = _laplace if isinstance(base, Laplace) else _normal
    found: Tensor = interval(lower, upper).sum(tuple(range(-len(px.event_shape), 0)))
    return found


def _normal(lower: Tensor, upper: Tensor) -> Tensor:
    """ln(Φ(upper) − Φ(lower)) for intervals whose centre is at most 0."""
    top: Tensor = torch.special.log_ndtr(upper)
    return top + torch.log(-torch.expm1(torch.special.log_ndtr(lower) - top))


def _laplace(lower: Tensor, upper: Tensor) -> Tensor:
    """The same for the Laplace distribution with scale 1."""
    outside = upper + torch.log(-torch.expm1(lower - upper)) - math.log(2)
    inside = torch.log(-0.5 * (torch.expm1(-upper.abs()) + torch.expm1(lower)))
    return torch.where(upper <= 0, outside, inside)

"""Planar flows."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from autoencode.maths.pushforward import Bijection

# Bisection steps for the inverse; more do not change a float64.
BISECTIONS = 60
# Maximum contraction; a contraction of 1 would not be invertible.
MAX_CONTRACTION = 1 - 1e-4


class Planar(Bijection):
    """Planar flow f(e) = e + û tanh(wᵀe + b), where wᵀû > −1, so that f is invertible.

    û = u + (m(wᵀu) − wᵀu) w / ‖w‖², m(x) = softplus(x + ln(𝑒 − 1)) − 1: the map is the identity at
    u = 0. ln |det| = ln(1 + wᵀû (1 − tanh²(wᵀe + b))). The inverse has no closed form; it is
    found by bisection, and is differentiable.  Source: [rezende2015], appendix A.1.
    """

    def __init__(self, u: Tensor, w: Tensor, b: Tensor) -> None:
        """Directions [*batch, d] and offsets [*batch]."""
        self.w, self.b = w, b
        along = (w * u).sum(-1)
        self.stretch = MAX_CONTRACTION * (functional.softplus(along + math.log(math.e - 1)) - 1)
        squares = w.square().sum(-1).clamp_min(1e-8)
        self.u = u + ((self.stretch - along) / squares).unsqueeze(-1) * w

    def forward(self, e: Tensor) -> tuple[Tensor, Tensor]:
        """As `Bijection.forward`."""
        bend = ((self.w * e).sum(-1) + self.b).tanh()
        ladj = torch.log1p(self.stretch * (1 - bend.square()))
        return e + self.u * bend.unsqueeze(-1), ladj

    def inverse(self, z: Tensor) -> Tensor:
        """α = wᵀe solves α + wᵀû tanh(α + b) = wᵀz, whose left side rises with α."""
        target = (self.w * z).sum(-1)
        with torch.no_grad():
            low, high = target - self.stretch.abs(), target + self.stretch.abs()
            for _ in range(BISECTIONS):
                middle = 0.5 * (low + high)
                beyond = middle + self.stretch * (middle + self.b).tanh() > target
                low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
            found = 0.5 * (low + high)
        # A Newton step at the solution provides the gradient.
        bend = (found + self.b).tanh()
        residual = found + self.stretch * bend - target
        alpha = found - residual / (1 + self.stretch * (1 - bend.square()))
        return z - self.u * (alpha + self.b).tanh().unsqueeze(-1)

"""Sparse codes in which each dimension decides by itself whether it is active."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width, Within
from autoencode.maths import traced
from autoencode.maths.sharding import whole_batch
from autoencode.parts.active_dimensions import active_dimensions
from autoencode.parts.bottlenecks.plain import deterministic_code

# The smallest threshold at which training starts.
MIN_START = 1e-6


class JumpReLU(Bottleneck):
    """Features above a threshold of their dimension: zⱼ = hⱼ where hⱼ > θⱼ, else 0.

    The thresholds θⱼ > 0 are learned, although z does not change smoothly with them: with
    K = 1 where |hⱼ − θⱼ| < εⱼ / 2, else 0, the derivatives by θⱼ are taken to be −θⱼ K / εⱼ for zⱼ
    and −K / εⱼ for the number of active dimensions. As εⱼ falls to 0, they are unbiased estimates
    of the derivatives of means over all examples. Use it with the term "l0", which asks for k
    active dimensions on average.

    All thresholds start where k dimensions per example are active in the first batch of training.
    The paper has one constant ε; here εⱼ is a share of θⱼ, which fits features of any scale.

    k: desired number of active dimensions per code; None is latent / 40, at least 1.
    bandwidth: εⱼ / θⱼ.
    Source: [rajamanoharan2024b].
    """

    name = "jump-relu"
    space = Space.REAL
    sparse = True
    counted = True
    thresholds = True

    started: Tensor

    def __init__(
        self,
        sizes: Sizes,
        k: Width | None = None,
        bandwidth: Annotated[float, Within(1e-4, 1.0)] = 0.5,
    ) -> None:
        super().__init__(sizes)
        self.k, self.bandwidth = active_dimensions(sizes, k, "bottleneck.k"), bandwidth
        self.log_threshold = nn.Parameter(torch.zeros(sizes.latent))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and the active dimensions [B]; `samples` repeats z, [S, B, *Z]."""
        h = h.relu()
        if self.training and not traced() and not self.started:
            self._start(whole_batch(h.detach()))
        threshold = self.log_threshold.exp()
        kept = h > threshold
        z, active = torch.where(kept, h, 0.0), kept.to(h.dtype).sum(-1)
        if self.training:
            fixed = threshold.detach()
            width = self.bandwidth * fixed
            near = (h.detach() - fixed).abs() < width / 2
            # 0 in value; it carries the gradient.
            change = near * ((threshold - fixed) / width)
            z, active = z - fixed * change, active - change.sum(-1)
        (z,) = self.split_features(z)
        return replace(deterministic_code(z, samples), features=h, active=active / self.k)

    def _start(self, h: Tensor) -> None:
        smallest = h.flatten().topk(min(self.k * len(h), h.numel())).values[-1]
        self.log_threshold.data.fill_(smallest.clamp(min=MIN_START).log())
        self.started.fill_(True)


class Gated(Bottleneck):
    """Gates and magnitudes: zⱼ = max(e^rⱼ hⱼ + oⱼ, 0) where hⱼ > 0, else 0.

    The sign of hⱼ decides which dimensions are active, and rⱼ and oⱼ, which are learned, correct
    their sizes, so that a penalty that makes few gates open does not make z smaller. The gates
    learn by the term "gated", which asks for k active dimensions on average.

    k: desired number of active dimensions per code; None is latent / 40, at least 1.
    Source: [rajamanoharan2024a].
    """

    name = "gated"
    space = Space.REAL
    sparse = True
    counted = True

    def __init__(self, sizes: Sizes, k: Width | None = None) -> None:
        super().__init__(sizes)
        self.k = active_dimensions(sizes, k, "bottleneck.k")
        self.log_gain = nn.Parameter(torch.zeros(sizes.latent))
        self.offset = nn.Parameter(torch.zeros(sizes.latent))

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and the open gates [B]; `samples` repeats z, [S, B, *Z]."""
        magnitude = (self.log_gain.exp() * h + self.offset).relu()
        (z,) = self.split_features(torch.where(h > 0, magnitude, 0.0))
        active = (h > 0).to(h.dtype).sum(-1) / self.k
        return replace(deterministic_code(z, samples), features=h.relu(), active=active)

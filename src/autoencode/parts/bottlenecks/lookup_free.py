"""Lookup-free quantisation: each latent dimension becomes its sign."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from autoencode.contract import Code, Sizes, Within
from autoencode.maths import widen
from autoencode.maths.sharding import batch_count, batch_sum
from autoencode.parts.bottlenecks.quantised import SharedValues, straight_through

Weight = Annotated[float, Within(0.0, 1e6)]


class LookupFree(SharedValues):
    """Lookup-free quantisation: each dimension becomes its sign, −1 or 1; no codebook is learned.

    A group of `dim` dimensions has 2^dim entries; the index has bit i set where dimension i is
    positive. Gradients pass the quantisation unchanged. Two costs are added, [B]:

    "commitment": β‖h − sg(z)‖², a squared error;
    "entropy": `entropy` · Σ (E[H(q(k|h))] − `diversity` · H(E[q(k|h)])) over the groups of a
        position, with q(k|h) ∝ exp(−‖h − eₖ‖²/T). The first part makes the choice of each
        entry certain, the second makes all entries of a group equally frequent. E is the mean
        over the batch and over positions, for each block of `dim` channels separately.

    dim: dimensions per group.   temperature: T.   commitment: β.
    Source: [yu2024], section 3.1.
    """

    name = "lfq"
    cost_units = {"commitment": "", "entropy": ""}  # noqa: RUF012

    strides: Tensor  # contribution of each bit to the index, [dim]

    def __init__(
        self,
        sizes: Sizes,
        dim: Annotated[int, Within(1, 16)] = 8,
        commitment: Weight = 0.25,
        entropy: Weight = 0.1,
        diversity: Weight = 1.0,
        temperature: Annotated[float, Within(1e-6, 1e6)] = 1.0,
    ) -> None:
        super().__init__(sizes, dim, 2**dim)
        self.commitment, self.entropy, self.diversity = commitment, entropy, diversity
        self.temperature = temperature
        self.register_buffer("strides", 2 ** torch.arange(dim), persistent=False)

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; `samples` repeats z, [S, B, *Z]."""
        with torch.autocast(h.device.type, enabled=False):
            h = widen(h).reshape(-1, *self.sizes.z)
            index = self.index_of(h.detach())
            z = self.codes_of(index).to(h.dtype)
            costs = {
                "commitment": self.commitment * (h - z).square().flatten(1).sum(1),
                "entropy": self.entropy * self._entropies(self.to_groups(h)),
            }
        return straight_through(h, z, index, samples, costs)

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        return (2 * (index[..., None] // self.strides % 2) - 1).to(torch.get_default_dtype())

    def nearest(self, e: Tensor) -> Tensor:
        """[*some, dim] to [*some]."""
        return ((e > 0) * self.strides).sum(-1)

    def _entropies(self, e: Tensor) -> Tensor:
        """E[H(q)] − diversity · H(E[q]), nats: [B, groups, dim] to [B]."""
        # ‖h + 1‖² − ‖h − 1‖² = 4h, so that q is a product over bits with these log-odds.
        logits = 4 * e / self.temperature
        p, q = logits.sigmoid(), (-logits).sigmoid()
        own = -(p * logsigmoid(logits) + q * logsigmoid(-logits)).sum((1, 2))
        # The mean over the vectors of a block, of products over all its bits: the bits are taken
        # in two halves, so that no vector has 2^dim numbers.
        bits = torch.stack([q, p], -1).reshape(e.shape[0], self.blocks, self.positions, self.dim, 2)
        bits = bits.transpose(0, 1).flatten(1, 2)
        half = self.dim // 2
        low, high = _products(bits[:, :, :half]), _products(bits[:, :, half:])
        mean = batch_sum(low.mT @ high) / batch_count(low.shape[1])
        together: Tensor = torch.special.entr(mean).sum()
        return own - self.diversity * self.positions * together


def _products(bits: Tensor) -> Tensor:
    """Probabilities of bits [..., dim, 2] to those of all 2^dim combinations, [..., 2^dim]."""
    result = bits.new_ones(*bits.shape[:-2], 1)
    for each in bits.unbind(-2):
        result = (each[..., :, None] * result[..., None, :]).flatten(-2)
    return result

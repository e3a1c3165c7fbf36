"""Codes of which only a few numbers are not 0, by construction."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width
from autoencode.errors import RecipeError

# Where `k` is left open, one number in so many is active.
ONE_IN = 40
# How much of the running threshold each batch replaces.
MOMENTUM = 0.01


class Sparse(Bottleneck):
    """The features compete: a few of those that are positive pass, all others become 0.

    k: active numbers in each code; None is a fortieth of the code, at least 1. A schedule may
        bring it down in training.
    norm: "batch" brings each feature to mean 0 and variance 1 over the batch before they compete
        [ioffe2015]. Without it, features that are large for every example win each time and most
        of the others never learn: of 1,000 on MNIST some 900 stay silent for good. It takes
        batches of at least two.

    Raises:
        RecipeError: k is larger than the code.
    """

    space = Space.REAL

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes)
        if k is not None and k > sizes.latent:
            raise RecipeError(
                f"A code of {sizes.latent} cannot have {k} active numbers",
                f"Use a larger code, --latent {k * ONE_IN}, or a smaller bottleneck.k.",
            )
        self.k = k or max(1, sizes.latent // ONE_IN)
        self.normalise = (
            nn.BatchNorm1d(sizes.latent, affine=False) if norm == "batch" else nn.Identity()
        )

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; a point has no noise, so `samples` repeats it, [S, B, *Z]."""
        # A schedule moves k in a straight line, which may begin above the size of the code.
        z = self.keep(self.normalise(h).relu(), k=min(round(self.k), h.shape[-1]))
        (z,) = self.split_features(z)
        return Code(z if samples is None else z.expand(samples, *z.shape))

    @abstractmethod
    def keep(self, h: Tensor, k: int) -> Tensor:
        """Rectified features [B, d] with 0 in place of those that lose, [B, d]."""


class TopK(Sparse):
    """z = max(h, 0) where h is among the k largest features of the example, else 0.

    Exactly k are active wherever k features or more are positive. The first source keeps the k
    largest even if negative; cutting those off came later.
    Source: [makhzani2014]; with the rectifier [gao2024].
    """

    def keep(self, h: Tensor, k: int) -> Tensor:
        """As `Sparse.keep`."""
        largest, places = h.topk(k)
        return torch.zeros_like(h).scatter(-1, places, largest)


class BatchTopK(Sparse):
    """k active numbers on average: hard examples get more of them than easy ones.

    In training z = max(h, 0) where h is among the k·B largest features of the batch, else 0. A
    running mean of the smallest one kept becomes the threshold of evaluation, z = h where
    h > threshold, so that there the code of an example does not depend on its batch.
    Source: [bussmann2024].
    """

    threshold: Tensor

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes, k, norm)
        self.register_buffer("threshold", torch.zeros(()))

    def keep(self, h: Tensor, k: int) -> Tensor:
        """As `Sparse.keep`."""
        if not self.training:
            return torch.where(h > self.threshold, h, 0.0)
        largest, places = h.flatten().topk(k * len(h))
        with torch.no_grad():
            # Where fewer are positive than asked for, the smallest kept is 0 and keeps all.
            self.threshold.lerp_(largest[-1].to(self.threshold.dtype), MOMENTUM)
        return torch.zeros_like(h).flatten().scatter(-1, places, largest).view_as(h)

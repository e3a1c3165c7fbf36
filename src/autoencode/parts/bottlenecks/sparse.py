"""Bottlenecks that keep only the largest activations of a code (top-k sparsity)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width
from autoencode.errors import RecipeError
from autoencode.parts.bottlenecks.plain import deterministic_code

# By default one of this number of latent dimensions is active.
DIMENSIONS_PER_ACTIVE = 40
# Weight of a new batch in the running mean of the threshold.
MOMENTUM = 0.01


class Sparse(Bottleneck):
    """Base class of sparse codes: the largest positive features are kept, all others become 0.

    k: number of active dimensions per code; None is latent / 40, at least 1. A schedule may lower
        it during training.
    norm: "batch" normalises each feature over the batch before the selection [ioffe2015]; it needs
        batches of two or more. With "none", features that are large for all examples are always
        selected and most others never learn: about 900 of 1,000 on MNIST stay inactive.

    Raises:
        RecipeError: k is larger than the number of latent dimensions.
    """

    space = Space.REAL

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes)
        if k is not None and k > sizes.latent:
            raise RecipeError(
                f"A code of {sizes.latent} dimensions cannot have {k} active dimensions",
                f"Use --latent {k * DIMENSIONS_PER_ACTIVE}, or a smaller bottleneck.k.",
            )
        self.k = k or max(1, sizes.latent // DIMENSIONS_PER_ACTIVE)
        self.normalise = (
            nn.BatchNorm1d(sizes.latent, affine=False) if norm == "batch" else nn.Identity()
        )

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; `samples` repeats it, [S, B, *Z]."""
        # A schedule changes k linearly and may start above the number of dimensions.
        z = self.select(self.normalise(h).relu(), k=min(round(self.k), h.shape[-1]))
        (z,) = self.split_features(z)
        return deterministic_code(z, samples)

    @abstractmethod
    def select(self, h: Tensor, k: int) -> Tensor:
        """Sets all but the selected ones of the rectified features [B, d] to 0."""


class TopK(Sparse):
    """Keeps the k largest features of each example: z = max(h, 0) for these, else 0.

    Exactly k dimensions are active if k or more features are positive.
    Source: [makhzani2014], without the rectifier; [gao2024], with it.
    """

    name = "top-k"

    def select(self, h: Tensor, k: int) -> Tensor:
        """As `Sparse.select`."""
        largest, places = h.topk(k)
        return torch.zeros_like(h).scatter(-1, places, largest)


class BatchTopK(Sparse):
    """Keeps the k·B largest features of a batch, so that examples have k active ones on average.

    In training z = max(h, 0) for these features, else 0. In evaluation z = h where h > threshold,
    so that the code of an example does not depend on its batch; the threshold is a running mean
    of the smallest value that was selected in training.
    Source: [bussmann2024].
    """

    name = "batch-top-k"

    threshold: Tensor

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes, k, norm)
        self.register_buffer("threshold", torch.zeros(()))

    def select(self, h: Tensor, k: int) -> Tensor:
        """As `Sparse.select`."""
        if not self.training:
            return torch.where(h > self.threshold, h, 0.0)
        largest, places = h.flatten().topk(k * len(h))
        with torch.no_grad():
            # If fewer than k·B features are positive, the smallest one is 0 and selects all.
            self.threshold.lerp_(largest[-1].to(self.threshold.dtype), MOMENTUM)
        return torch.zeros_like(h).flatten().scatter(-1, places, largest).view_as(h)

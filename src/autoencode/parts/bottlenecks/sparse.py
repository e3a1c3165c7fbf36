"""Bottlenecks that keep only the largest activations of a code (top-k sparsity)."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from autoencode.contract import Bottleneck, Code, Sizes, Space, Width
from autoencode.maths.sharding import own_rows, whole_batch
from autoencode.parts.active_dimensions import active_dimensions
from autoencode.parts.bottlenecks.plain import deterministic_code

# Smallest weight of a new batch in the running mean of the threshold: large enough to follow the
# weights, which change quickly at first.
THRESHOLD_MOMENTUM = 0.2
# The same for the mean and variance of the features, as in `BatchNorm1d`.
NORM_MOMENTUM = 0.1


class EvenBatchNorm(nn.BatchNorm1d):
    """Batch normalisation [ioffe2015] whose running statistics are right from the first batch on.

    The running mean and variance are means over all batches so far, and from the tenth batch on
    moving averages. `BatchNorm1d` mixes its initial values, 0 and 1, into the first tens of steps.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features, affine=False)

    def forward(self, x: Float[Tensor, "batch d"]) -> Float[Tensor, "batch d"]:
        """Normalises by the statistics of the batch; in evaluation by the running ones."""
        mean, variance, count = self.running_mean, self.running_var, self.num_batches_tracked
        if not self.training:
            return functional.batch_norm(x, mean, variance, eps=self.eps)
        x = whole_batch(x)
        with torch.no_grad():
            count.add_(1)
            of_batch, mean_of_batch = torch.var_mean(x.to(mean.dtype), 0)
            weight = weight_of_batch(count, NORM_MOMENTUM)
            mean.lerp_(mean_of_batch, weight)
            variance.lerp_(of_batch, weight)
        return own_rows(functional.batch_norm(x, None, None, training=True, eps=self.eps))


def weight_of_batch(count: Tensor, momentum: float) -> Tensor:
    """The weight of batch number `count`, [], in a running mean; the first batch is 1.

    The mean is over all batches until 1 / count falls below `momentum`, and a moving average then.
    """
    return (1 / count.to(torch.float32)).clamp(min=momentum)


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
    sparse = True

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes)
        self.k = active_dimensions(sizes, k, "bottleneck.k")
        self.normalise = EvenBatchNorm(sizes.latent) if norm == "batch" else nn.Identity()

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z]; `samples` repeats it, [S, B, *Z]."""
        # A schedule changes k linearly and may start above the number of dimensions.
        h = self.normalise(h).relu()
        (z,) = self.split_features(self.select(h, k=min(round(self.k), h.shape[-1])))
        return replace(deterministic_code(z, samples), features=h)

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
    of the smallest value that was selected in training, right from the first batch on.
    Source: [bussmann2024].
    """

    name = "batch-top-k"

    threshold: Tensor
    batches: Tensor

    def __init__(
        self, sizes: Sizes, k: Width | None = None, norm: Literal["none", "batch"] = "batch"
    ) -> None:
        super().__init__(sizes, k, norm)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def select(self, h: Tensor, k: int) -> Tensor:
        """As `Sparse.select`."""
        if not self.training:
            return torch.where(h > self.threshold, h, 0.0)
        h = whole_batch(h)
        largest, places = h.flatten().topk(k * len(h))
        with torch.no_grad():
            # If fewer than k·B features are positive, the smallest one is 0 and selects all.
            self.batches.add_(1)
            smallest = largest[-1].to(self.threshold.dtype)
            self.threshold.lerp_(smallest, weight_of_batch(self.batches, THRESHOLD_MOMENTUM))
        return own_rows(torch.zeros_like(h).flatten().scatter(-1, places, largest).view_as(h))

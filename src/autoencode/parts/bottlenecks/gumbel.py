"""Categorical codes that are trained with the Gumbel-softmax relaxation."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autoencode.contract import Code, Sizes, Within
from autoencode.errors import RecipeError
from autoencode.maths import widen
from autoencode.maths.sharding import noise_like
from autoencode.parts.bottlenecks.quantised import Quantised


class GumbelSoftmax(Quantised):
    """Discrete codes with a categorical posterior, trained by Gumbel-softmax samples.

    The encoder gives the logits l of the `codes` entries of each group. In training mode z is
    Σₖ yₖ eₖ with y = softmax((l + g)/T) and g from the standard Gumbel distribution. With `hard`,
    the value is the entry with the largest yₖ, and the gradient that of the sum (straight-through
    Gumbel-softmax). In evaluation mode it is the entry with the largest logit, also if samples are
    requested. Each `dim` channels have their own codebook e, a parameter of the model.

    The cost "kl" is KL(q(k|x) ‖ uniform), nats, summed over groups, [B], times `weight`.

    codes: entries per codebook, a multiple of `dim`.   dim: dimensions per group.
    temperature: T, which a schedule may lower in training.
    Source: [jang2017], eqs. 1 and 2; [maddison2017]; [ramesh2021], section 2.1.
    """

    name = "gumbel-softmax"
    cost_units = {"kl": "nats"}  # noqa: RUF012

    def __init__(
        self,
        sizes: Sizes,
        codes: Annotated[int, Within(2, 65_536)] = 16,
        dim: Annotated[int, Within(1, 65_536)] = 2,
        temperature: Annotated[float, Within(1e-3, 1e3)] = 0.5,
        hard: bool = False,
        weight: Annotated[float, Within(0.0, 1e6)] = 1.0,
    ) -> None:
        """Checks the sizes.

        Raises:
            RecipeError: `codes` or the latent size is not a multiple of `dim`.
        """
        super().__init__(sizes, dim, codes)
        if codes % dim:
            raise RecipeError(
                f"A group of {dim} dimensions cannot have {codes} entries: the encoder gives "
                "each dimension the same number of logits",
                f"Use a multiple of {dim}: --set bottleneck.codes={math.ceil(codes / dim) * dim}.",
            )
        self.temperature, self.hard, self.weight = temperature, hard, weight
        self.features, self.books = codes // dim, self.blocks
        # Same as torch.randn, which would load a compiler on the device "meta".
        self.vectors = nn.Parameter(torch.empty(self.books, codes, dim).normal_())

    def forward(self, h: Float[Tensor, "batch features_d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; with `samples` z is [S, B, *Z]."""
        with torch.autocast(h.device.type, enabled=False):
            chunks = [self.to_groups(each) for each in self.split_features(widen(h))]
            logits = torch.cat(chunks, -1)
            log_q = logits.log_softmax(-1)
            nats = (log_q.exp() * (log_q + math.log(self.entries))).sum((1, 2))
            index = logits.detach().argmax(-1)
            shape = logits.shape if samples is None else (samples, *logits.shape)
            chosen = self._relaxed(logits.expand(shape)) if self.training else self._one_hot(index)
            z = self._mixed(chosen.expand(shape))
        return Code(z, None, {"kl": self.weight * nats}, index)

    def codes_of(self, index: Tensor) -> Tensor:
        """[*some, groups] to [*some, *Z]."""
        return self._mixed(self._one_hot(index))

    def index_of(self, z: Tensor) -> Tensor:
        """[*some, *Z] to [*some, groups]."""
        e = self.to_groups(z)
        blocks = e.reshape(*e.shape[:-2], self.blocks, self.positions, 1, self.dim)
        distances: Tensor = (blocks - self.vectors[:, None]).square().sum(-1)
        return distances.argmin(-1).flatten(-2)

    def entry_vectors(self) -> Tensor:
        """[books, codes, dim]."""
        return self.vectors.detach()

    def _relaxed(self, logits: Tensor) -> Tensor:
        # −ln E is a Gumbel variable if E is an exponential one.
        noise = -noise_like(_exponential, logits, logits.dim() - 3).log()
        soft = ((logits + noise) / self.temperature).softmax(-1)
        if not self.hard:
            return soft
        return self._one_hot(soft.detach().argmax(-1)) + (soft - soft.detach())

    def _one_hot(self, index: Tensor) -> Tensor:
        """[*some] to [*some, codes]."""
        entries = torch.arange(self.entries, device=index.device)
        return (index[..., None] == entries).to(self.vectors.dtype)

    def _mixed(self, weights: Tensor) -> Tensor:
        """Weights of the entries [*some, groups, codes] to codes [*some, *Z]."""
        shape = (*weights.shape[:-2], self.blocks, self.positions, self.entries)
        by_block = weights.reshape(shape)
        return self.from_groups((by_block @ self.vectors).flatten(-3, -2))


def _exponential(like: Tensor) -> Tensor:
    return torch.empty_like(like).exponential_()

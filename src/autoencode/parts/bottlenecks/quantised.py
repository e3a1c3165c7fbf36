"""Bottlenecks with discrete codes: each code consists of entries of a finite codebook."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space, Within
from autoencode.errors import RecipeError
from autoencode.maths import widen

# Laplace smoothing of the usage counts, so that the mean of an unused entry is finite.
SMOOTHING = 1e-5
# The distances of all vectors of a batch to all entries are held in memory.
Entries = Annotated[int, Within(2, 65_536)]
Share = Annotated[float, Within(0.0, 0.9999)]
Level = Annotated[int, Within(2, 65_536)]


class Quantised(Bottleneck):
    """Base class of discrete codes: each group of `dim` latent dimensions is one of the entries.

    A code of shape (d,) has d / dim groups. A code of shape (D, h, w) is split along its channels:
    with dim = D each position of the map is one group. In general the groups of the first `dim`
    channels come first, position by position in row-major order, then those of the next channels.

    dim: dimensions per group.   groups: groups per code.   entries: possible values of a group.
    """

    space = Space.CODES

    def __init__(self, sizes: Sizes, dim: int, entries: int) -> None:
        """Checks that codes can be divided into groups.

        Raises:
            RecipeError: the latent size is not a multiple of `dim`.
        """
        super().__init__(sizes)
        if sizes.z[0] % dim:
            raise RecipeError(
                f"A code of {sizes.z[0]} dimensions cannot be divided into groups of {dim}",
                f"Use a multiple of {dim}: --latent {math.ceil(sizes.z[0] / dim) * dim}.",
            )
        self.dim, self.entries = dim, entries
        self.positions = math.prod(sizes.z[1:])
        self.groups = sizes.latent // dim

    @abstractmethod
    def values_of(self, index: Int[Tensor, "*some"]) -> Float[Tensor, "*some dim"]:
        """The vectors of entries, given their indices from 0 to entries − 1."""

    @abstractmethod
    def nearest(self, e: Float[Tensor, "vectors dim"]) -> Int[Tensor, " vectors"]:
        """The index of the entry that is nearest to each vector."""

    def codes_of(self, index: Int[Tensor, "*some groups"]) -> Tensor:
        """Converts indices [*some, groups] to codes [*some, *Z]."""
        return self._from_groups(self.values_of(index))

    def index_of(self, z: Tensor) -> Tensor:
        """Converts codes [*some, *Z] to the indices of the nearest entries, [*some, groups]."""
        e = self._to_groups(z)
        return self.nearest(e.reshape(-1, self.dim)).reshape(e.shape[:-1])

    def _to_groups(self, z: Tensor) -> Tensor:
        """[*some, *Z] to vectors [*some, groups, dim]."""
        some = z.shape[: z.dim() - len(self.sizes.z)]
        e = z.reshape(*some, self.sizes.z[0] // self.dim, self.dim, self.positions).transpose(
            -1, -2
        )
        return e.flatten(-3, -2)

    def _from_groups(self, e: Tensor) -> Tensor:
        """The inverse of `_to_groups`."""
        e = e.reshape(*e.shape[:-2], self.sizes.z[0] // self.dim, self.positions, self.dim)
        e = e.transpose(-1, -2)
        return e.reshape(*e.shape[:-3], *self.sizes.z)


class VectorQuantised(Quantised):
    """Vector quantisation: each group becomes the nearest entry eₖ of a learned codebook.

    Gradients pass the quantisation unchanged (straight-through estimator). The cost "commitment",
    β‖h − sg(eₖ)‖² summed over groups, [B], keeps the encoder's output near the codebook; sg stops
    gradients. In training mode the codebook is learned by

    "averages": each entry is the exponential moving average of the vectors nearest to it;
    "gradients": the objective has the additional cost "codebook", ‖sg(h) − eₖ‖², [B].

    Both costs are squared errors. An entry that receives less than the fraction `revival` of an
    even share of the vectors is replaced by a vector of the batch. All entries are unused before
    the first batch, so the codebook starts with vectors of that batch.

    codes: number of entries.   dim: dimensions per group.   commitment: β.
    decay: decay of the exponential moving averages.
    Source: [oord2017], eq. 3 and appendix A.1; revival: [dhariwal2020].
    """

    name = "vq"
    cost_units = {"commitment": "", "codebook": ""}  # noqa: RUF012

    book: Tensor  # [codes, dim]
    usage: Tensor  # moving average of the number of vectors per batch and entry, [codes]
    total: Tensor  # moving average of the sum of these vectors, [codes, dim]

    def __init__(
        self,
        sizes: Sizes,
        codes: Entries = 256,
        dim: Annotated[int, Within(1, 65_536)] = 2,
        commitment: Annotated[float, Within(0.0, 1e6)] = 0.25,
        learn: Literal["averages", "gradients"] = "averages",
        decay: Share = 0.99,
        revival: Share = 0.1,
    ) -> None:
        super().__init__(sizes, dim, codes)
        self.commitment, self.decay, self.revival = commitment, decay, revival
        self.averaged = learn == "averages"
        # Same as torch.randn, which would load a compiler on the device "meta".
        book = torch.empty(codes, dim).normal_()
        self.register_buffer("usage", torch.zeros(codes))
        if self.averaged:
            self.register_buffer("book", book)
            self.register_buffer("total", torch.zeros(codes, dim))
        else:
            self.book = nn.Parameter(book)

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; `samples` repeats z, [S, B, *Z]."""
        # Autocast would compute the distances in half precision.
        with torch.autocast(h.device.type, enabled=False):
            h = widen(h).reshape(-1, *self.sizes.z)
            e = self._to_groups(h)
            vectors = e.detach().reshape(-1, self.dim)
            if self.training:
                self._revive(vectors)
            index = self.nearest(vectors).reshape(e.shape[:-1])
            chosen = self.values_of(index)
            costs = {"commitment": self.commitment * (e - chosen.detach()).square().sum((1, 2))}
            if not self.averaged:
                costs["codebook"] = (chosen - e.detach()).square().sum((1, 2))
            if self.training:
                self._update_averages(vectors, index.flatten())
        return _straight_through(h, self._from_groups(chosen), index, samples, costs)

    @property
    def perplexity(self) -> Tensor:
        """Effective number of entries in use, [], from 1 to `codes`: exp(entropy of the usage)."""
        entropy: Tensor = torch.special.entr(self.usage / self.usage.sum().clamp(min=1e-9)).sum()
        return entropy.exp()

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        return self.book[index]

    def nearest(self, e: Tensor) -> Tensor:
        """[vectors, dim] to [vectors]; of entries at the same distance, the first."""
        book = self.book.detach()
        # ‖e − b‖² without ‖e‖², which is the same for all entries.
        return torch.addmm(book.square().sum(1), e.detach(), book.T, alpha=-2).argmin(1)

    @torch.no_grad()
    def _revive(self, vectors: Tensor) -> None:
        """Replaces entries that are rarely used by vectors of the batch."""
        even_share = len(vectors) / self.entries
        unused = self.usage <= self.revival * even_share
        # A permutation, so that no vector is used twice if there are enough.
        order = torch.randperm(len(vectors), device=vectors.device)
        chosen = torch.arange(self.entries, device=vectors.device) % len(vectors)
        new = vectors[order[chosen]].to(self.book.dtype)
        self.book.copy_(torch.where(unused[:, None], new, self.book))
        if self.averaged:
            self.total.copy_(torch.where(unused[:, None], new * even_share, self.total))
        self.usage.copy_(torch.where(unused, even_share, self.usage))

    @torch.no_grad()
    def _update_averages(self, vectors: Tensor, index: Tensor) -> None:
        """Updates the moving averages with a batch and, if it is averaged, the codebook."""
        # A product with one-hot rows is deterministic; index_add may not be.
        one_hot = torch.zeros(len(index), self.entries, dtype=vectors.dtype, device=vectors.device)
        one_hot = one_hot.scatter(1, index[:, None], 1.0)
        self.usage.lerp_(one_hot.sum(0).to(self.usage.dtype), 1 - self.decay)
        if not self.averaged:
            return
        self.total.lerp_((vectors.T @ one_hot).T.to(self.total.dtype), 1 - self.decay)
        count = self.usage.sum()
        smooth = (self.usage + SMOOTHING) / (count + self.entries * SMOOTHING) * count
        self.book.copy_(self.total / smooth[:, None])


class FiniteScalar(Quantised):
    """Finite scalar quantisation: each dimension is rounded to one of L levels in [−1, 1].

    z = 2i/(L − 1) − 1 with i = round((L − 1)(tanh h + 1)/2) in 0 … L − 1, for even and odd L.
    Gradients are those of tanh h (straight-through estimator). There is no codebook to learn and
    no additional cost. The features h are first normalised over the batch, each channel
    separately, with running statistics in evaluation [ioffe2015]: without it, the first steps
    push all of them into the saturated ends of tanh, where they stay.

    levels: L of each dimension of a group. A group has as many entries as the product of its
        levels; the index counts them with the first dimension changing fastest.
    Source: [mentzer2024].
    """

    name = "fsq"

    counts: Tensor  # number of levels of each dimension of a group, [dim]
    strides: Tensor  # contribution of one level to the index, [dim]

    def __init__(self, sizes: Sizes, levels: tuple[Level, ...] = (8, 8)) -> None:
        """Checks the levels.

        Raises:
            RecipeError: no level, too many entries, or a latent size that is not a multiple.
        """
        entries = math.prod(levels)
        if not levels or entries > 2**31:
            raise RecipeError(
                f"Levels {tuple(levels)} give a group {entries:,} values, and it may have 2 to 2³¹",
                "Use a few small levels, such as (8, 8).",
            )
        super().__init__(sizes, len(levels), entries)
        self.levels = tuple(levels)
        self.norm = nn.BatchNorm1d(sizes.z[0], affine=False)
        strides = [math.prod(levels[:dimension]) for dimension in range(len(levels))]
        # Derived from the recipe, so they are not saved.
        self.register_buffer("counts", torch.tensor(levels), persistent=False)
        self.register_buffer("strides", torch.tensor(strides), persistent=False)

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; `samples` repeats z, [S, B, *Z]."""
        h = self.norm(widen(h).reshape(-1, self.sizes.z[0], self.positions))
        bounded = h.reshape(-1, *self.sizes.z).tanh()
        index = self.index_of(bounded.detach())
        quantised = self.codes_of(index).to(bounded.dtype)
        return _straight_through(bounded, quantised, index, samples, {})

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        steps = index[..., None] // self.strides % self.counts
        return 2 * steps / (self.counts - 1) - 1

    def nearest(self, e: Tensor) -> Tensor:
        """[vectors, dim] to [vectors]."""
        steps = ((e.clamp(-1, 1) + 1) / 2 * (self.counts - 1)).round().long()
        return (steps * self.strides).sum(-1)


def _straight_through(
    h: Tensor, chosen: Tensor, index: Tensor, samples: int | None, costs: dict[str, Tensor]
) -> Code:
    """A code with the value `chosen` and the gradient of h."""
    z = chosen.detach() + (h - h.detach())
    return Code(z if samples is None else z.expand(samples, *z.shape), None, costs, index)

"""Discrete codes: a code is a few entries of a finite book."""

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

# Keeps the estimated use of an entry above zero when its mean is taken.
SMOOTHING = 1e-5
# The distances of a batch's vectors to every entry are one table in memory.
Entries = Annotated[int, Within(2, 65_536)]
Share = Annotated[float, Within(0.0, 0.9999)]
Level = Annotated[int, Within(2, 65_536)]


class Quantised(Bottleneck):
    """A code cut into groups of `dim` numbers, each of which is one of `entries` values.

    A code of shape (d,) has d / dim groups. One of shape (D, h, w) is cut along its first axis:
    with dim = D each place of the map is one group; in general the groups are those of the first
    `dim` channels, place by place in rows, then those of the next.

    dim: numbers in one group.   groups: groups in one code.   entries: values a group can take.
    """

    space = Space.CODES

    def __init__(self, sizes: Sizes, dim: int, entries: int) -> None:
        """Refuses codes that cannot be cut.

        Raises:
            RecipeError: `dim` does not divide the numbers of a code.
        """
        super().__init__(sizes)
        if sizes.z[0] % dim:
            raise RecipeError(
                f"A code of {sizes.z[0]} numbers cannot be cut into groups of {dim}",
                f"Make it a multiple: --latent {math.ceil(sizes.z[0] / dim) * dim}.",
            )
        self.dim, self.entries = dim, entries
        self.places = math.prod(sizes.z[1:])
        self.groups = sizes.latent // dim

    @abstractmethod
    def values_of(self, index: Int[Tensor, "*some"]) -> Float[Tensor, "*some dim"]:
        """The values of entries, by their number from 0 to entries − 1."""

    @abstractmethod
    def nearest(self, e: Float[Tensor, "vectors dim"]) -> Int[Tensor, " vectors"]:
        """The number of the entry whose value is nearest to each vector."""

    def codes_of(self, index: Int[Tensor, "*some groups"]) -> Tensor:
        """The codes [*some, *Z] whose groups are these entries."""
        return self._joined(self.values_of(index))

    def index_of(self, z: Tensor) -> Tensor:
        """The entries nearest to codes [*some, *Z], one for each group: [*some, groups]."""
        e = self._cut(z)
        return self.nearest(e.reshape(-1, self.dim)).reshape(e.shape[:-1])

    def _cut(self, z: Tensor) -> Tensor:
        """[*some, *Z] to vectors [*some, groups, dim]."""
        some = z.shape[: z.dim() - len(self.sizes.z)]
        e = z.reshape(*some, self.sizes.z[0] // self.dim, self.dim, self.places).transpose(-1, -2)
        return e.flatten(-3, -2)

    def _joined(self, e: Tensor) -> Tensor:
        """The inverse of `_cut`."""
        e = e.reshape(*e.shape[:-2], self.sizes.z[0] // self.dim, self.places, self.dim)
        e = e.transpose(-1, -2)
        return e.reshape(*e.shape[:-3], *self.sizes.z)


class VectorQuantised(Quantised):
    """Each group becomes the nearest entry of a book that is learned: eₖ, k = argminⱼ ‖h − eⱼ‖.

    Gradients pass the quantisation straight through, as if z were h. The encoder pays the cost
    "commitment", β‖h − sg(eₖ)‖² summed over groups, [B], for staying near the book; sg stops
    gradients. The book learns from the batches in training mode, by

    "averages": each entry is the exponential moving average of the vectors nearest to it;
    "gradients": the cost "codebook", ‖sg(h) − eₖ‖², [B], is part of the objective.

    Both costs are squared errors: nats where that of the image is, as under a Gaussian likelihood
    of scale √½. An entry that takes less than `revival` of an even share of the vectors moves onto
    one of the batch; since no entry has been used before the first batch, the book begins there.

    codes: entries of the book.   dim: numbers in one group.   commitment: β.
    decay: what an average keeps at each batch.
    Source: [oord2017], eq. 3 and appendix A.1; revival: [dhariwal2020].
    """

    cost_units = {"commitment": "", "codebook": ""}  # noqa: RUF012

    book: Tensor  # [codes, dim]
    usage: Tensor  # how many vectors of a batch fall to each entry, a moving average, [codes]
    total: Tensor  # the moving average of the sum of those vectors, [codes, dim]

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
        # As torch.randn, which loads a compiler where only shapes are asked for.
        book = torch.empty(codes, dim).normal_()
        self.register_buffer("usage", torch.zeros(codes))
        if self.averaged:
            self.register_buffer("book", book)
            self.register_buffer("total", torch.zeros(codes, dim))
        else:
            self.book = nn.Parameter(book)

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z], and index [B, groups]; there is no noise, so `samples` repeats z."""
        # Autocast would take the distances in half precision.
        with torch.autocast(h.device.type, enabled=False):
            h = widen(h).reshape(-1, *self.sizes.z)
            e = self._cut(h)
            vectors = e.detach().reshape(-1, self.dim)
            if self.training:
                self._revive(vectors)
            index = self.nearest(vectors).reshape(e.shape[:-1])
            chosen = self.values_of(index)
            costs = {"commitment": self.commitment * (e - chosen.detach()).square().sum((1, 2))}
            if not self.averaged:
                costs["codebook"] = (chosen - e.detach()).square().sum((1, 2))
            if self.training:
                self._count(vectors, index.flatten())
        return _passed_through(h, self._joined(chosen), index, samples, costs)

    @property
    def perplexity(self) -> Tensor:
        """How many entries are in use, [], from 1 to `codes`: e to the entropy of their shares."""
        entropy: Tensor = torch.special.entr(self.usage / self.usage.sum().clamp(min=1e-9)).sum()
        return entropy.exp()

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        return self.book[index]

    def nearest(self, e: Tensor) -> Tensor:
        """[vectors, dim] to [vectors]; of entries that are equally near, the first."""
        book = self.book.detach()
        # ‖e − b‖² without ‖e‖², which is the same for every entry.
        return torch.addmm(book.square().sum(1), e.detach(), book.T, alpha=-2).argmin(1)

    @torch.no_grad()
    def _revive(self, vectors: Tensor) -> None:
        """Moves entries that are hardly used onto vectors of the batch, with an even share."""
        even = len(vectors) / self.entries
        idle = self.usage <= self.revival * even
        # As many different vectors as there are.
        order = torch.randperm(len(vectors), device=vectors.device)
        places = torch.arange(self.entries, device=vectors.device) % len(vectors)
        fresh = vectors[order[places]].to(self.book.dtype)
        self.book.copy_(torch.where(idle[:, None], fresh, self.book))
        if self.averaged:
            self.total.copy_(torch.where(idle[:, None], fresh * even, self.total))
        self.usage.copy_(torch.where(idle, even, self.usage))

    @torch.no_grad()
    def _count(self, vectors: Tensor, index: Tensor) -> None:
        """Takes a batch into the moving averages and, where it follows them, into the book."""
        # A product with indicators gives the same sums each time; adding by index may not.
        mine = torch.zeros(len(index), self.entries, dtype=vectors.dtype, device=vectors.device)
        mine = mine.scatter(1, index[:, None], 1.0)
        self.usage.lerp_(mine.sum(0).to(self.usage.dtype), 1 - self.decay)
        if not self.averaged:
            return
        self.total.lerp_((vectors.T @ mine).T.to(self.total.dtype), 1 - self.decay)
        all_used = self.usage.sum()
        smooth = (self.usage + SMOOTHING) / (all_used + self.entries * SMOOTHING) * all_used
        self.book.copy_(self.total / smooth[:, None])


class FiniteScalar(Quantised):
    """Each number is rounded to one of a few levels, evenly spaced from −1 to 1: nothing to learn.

    z = 2i/(L − 1) − 1 with i = round((L − 1)(tanh h + 1)/2) among 0 … L − 1, for even and odd L
    alike. Gradients are those of tanh h. It charges nothing and no entry can die. The features h
    are first standardised over the batch, each channel alone, by running statistics in evaluation
    [ioffe2015]: else the first steps push all of them into the flat ends of tanh, for good.

    levels: L of each number of a group, over and over; a group is one of their product, and its
        index counts them with the first level changing fastest.
    Source: [mentzer2024].
    """

    counts: Tensor  # levels of each number of a group, [dim]
    strides: Tensor  # what one level adds to the index, [dim]

    def __init__(self, sizes: Sizes, levels: tuple[Level, ...] = (8, 8)) -> None:
        """Refuses levels of no use.

        Raises:
            RecipeError: no level, too many entries, or codes that cannot be cut into such groups.
        """
        entries = math.prod(levels)
        if not levels or entries > 2**31:
            raise RecipeError(
                f"Levels {tuple(levels)} give a group {entries:,} values, and it may have 2 to 2³¹",
                "Give a few small ones, such as (8, 8).",
            )
        super().__init__(sizes, len(levels), entries)
        self.levels = tuple(levels)
        self.norm = nn.BatchNorm1d(sizes.z[0], affine=False)
        strides = [math.prod(levels[:place]) for place in range(len(levels))]
        # The levels stand in the recipe; nothing to save.
        self.register_buffer("counts", torch.tensor(levels), persistent=False)
        self.register_buffer("strides", torch.tensor(strides), persistent=False)

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z], and index [B, groups]; there is no noise, so `samples` repeats z."""
        h = self.norm(widen(h).reshape(-1, self.sizes.z[0], self.places))
        bounded = h.reshape(-1, *self.sizes.z).tanh()
        index = self.index_of(bounded.detach())
        return _passed_through(bounded, self.codes_of(index).to(bounded.dtype), index, samples, {})

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        steps = index[..., None] // self.strides % self.counts
        return 2 * steps / (self.counts - 1) - 1

    def nearest(self, e: Tensor) -> Tensor:
        """[vectors, dim] to [vectors]."""
        most = self.counts - 1
        steps = ((e.clamp(-1, 1) + 1) / 2 * most).round().long()
        return (steps * self.strides).sum(-1)


def _passed_through(
    h: Tensor, chosen: Tensor, index: Tensor, samples: int | None, costs: dict[str, Tensor]
) -> Code:
    """A code whose value is exactly `chosen` and whose gradient is that of h."""
    z = chosen.detach() + (h - h.detach())
    return Code(z if samples is None else z.expand(samples, *z.shape), None, costs, index)

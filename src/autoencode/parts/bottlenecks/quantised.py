"""The base class of bottlenecks with discrete codes, and finite scalar quantisation."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from autoencode.contract import Bottleneck, Code, Sizes, Space, Within
from autoencode.errors import RecipeError
from autoencode.maths import widen

Level = Annotated[int, Within(2, 65_536)]


class Quantised(Bottleneck):
    """Base class of discrete codes: each group of `dim` latent dimensions takes one of few values.

    A code of shape (d,) has d / dim groups. A code of shape (D, h, w) is split along its channels:
    with dim = D each position of the map is one group. In general the groups of the first `dim`
    channels come first, position by position in row-major order, then those of the next channels.

    dim: dimensions per group.   groups: indices per code.   entries: possible values of an index.
    books: codebooks; the first groups / books indices of a code are of the first book, and so on.
    """

    space = Space.CODES
    books: int = 1

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
        self.blocks, self.positions = sizes.z[0] // dim, math.prod(sizes.z[1:])
        self.groups = self.blocks * self.positions

    @abstractmethod
    def codes_of(self, index: Int[Tensor, "*some groups"]) -> Tensor:
        """Converts indices [*some, groups] to codes [*some, *Z]."""

    @abstractmethod
    def index_of(self, z: Tensor) -> Tensor:
        """Converts codes [*some, *Z] to the indices of the nearest entries, [*some, groups]."""

    @abstractmethod
    def entry_vectors(self) -> Float[Tensor, "books entries dim"]:
        """The vectors of all entries."""

    def to_groups(self, z: Tensor) -> Tensor:
        """Converts codes [*some, *Z] to vectors [*some, blocks · positions, dim]."""
        some = z.shape[: z.dim() - len(self.sizes.z)]
        e = z.reshape(*some, self.blocks, self.dim, self.positions).transpose(-1, -2)
        return e.flatten(-3, -2)

    def from_groups(self, e: Tensor) -> Tensor:
        """The inverse of `to_groups`."""
        e = e.reshape(*e.shape[:-2], self.blocks, self.positions, self.dim).transpose(-1, -2)
        return e.reshape(*e.shape[:-3], *self.sizes.z)

    def to_books(self, t: Tensor) -> Tensor:
        """Collects what belongs to each book: [N, groups, *rest] to [books, N · g, *rest]."""
        t = t.reshape(t.shape[0], self.books, self.groups // self.books, *t.shape[2:])
        return t.transpose(0, 1).flatten(1, 2)

    def from_books(self, t: Tensor, n: int) -> Tensor:
        """The inverse of `to_books` for N = n."""
        t = t.reshape(self.books, n, self.groups // self.books, *t.shape[2:])
        return t.transpose(0, 1).flatten(1, 2)


class SharedValues(Quantised):
    """Base class of discrete codes whose groups all take the same values."""

    @abstractmethod
    def values_of(self, index: Int[Tensor, "*some"]) -> Float[Tensor, "*some dim"]:
        """The vectors of entries, given their indices from 0 to entries − 1."""

    @abstractmethod
    def nearest(self, e: Float[Tensor, "*some dim"]) -> Int[Tensor, "*some"]:
        """The index of the entry that is nearest to each vector."""

    def codes_of(self, index: Tensor) -> Tensor:
        """[*some, groups] to [*some, *Z]."""
        return self.from_groups(self.values_of(index))

    def index_of(self, z: Tensor) -> Tensor:
        """[*some, *Z] to [*some, groups]."""
        return self.nearest(self.to_groups(z))

    def entry_vectors(self) -> Tensor:
        """[1, entries, dim]."""
        device = next(self.buffers()).device
        return self.values_of(torch.arange(self.entries, device=device))[None]


class FiniteScalar(SharedValues):
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
        return straight_through(bounded, quantised, index, samples, {})

    def values_of(self, index: Tensor) -> Tensor:
        """[*some] to [*some, dim]."""
        steps = index[..., None] // self.strides % self.counts
        return 2 * steps / (self.counts - 1) - 1

    def nearest(self, e: Tensor) -> Tensor:
        """[*some, dim] to [*some]."""
        steps = ((e.clamp(-1, 1) + 1) / 2 * (self.counts - 1)).round().long()
        return (steps * self.strides).sum(-1)


def straight_through(
    h: Tensor, chosen: Tensor, index: Tensor, samples: int | None, costs: dict[str, Tensor]
) -> Code:
    """A code with the value `chosen` and the gradient of h."""
    z = chosen.detach() + (h - h.detach())
    return Code(z if samples is None else z.expand(samples, *z.shape), None, costs, index)

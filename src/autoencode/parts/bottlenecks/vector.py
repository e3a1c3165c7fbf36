"""Vector quantisation with learned codebooks: shared, one per block of dimensions, or residual."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from autoencode.contract import Code, Sizes, Within
from autoencode.maths import widen
from autoencode.parts.bottlenecks.codebook import Codebook, squared_distances
from autoencode.parts.bottlenecks.quantised import Quantised, straight_through

# The distances of all vectors of a batch to all entries are held in memory.
Entries = Annotated[int, Within(2, 65_536)]
Dimensions = Annotated[int, Within(1, 65_536)]
Share = Annotated[float, Within(0.0, 0.9999)]
Weight = Annotated[float, Within(0.0, 1e6)]
# Partial sums that the search for the entries of a sum keeps.
BEAM = 32


class VectorQuantised(Quantised):
    """Vector quantisation: each group becomes the nearest entry eₖ of a learned codebook.

    Gradients pass the quantisation unchanged (straight-through estimator). The cost "commitment",
    β‖h − sg(eₖ)‖² summed over groups, [B], keeps the encoder's output near the codebook; sg stops
    gradients. In training mode the codebook is learned by

    "averages": each entry is the exponential moving average of the vectors nearest to it;
    "gradients": the objective has the additional cost "codebook", ‖sg(h) − eₖ‖², [B].

    Both costs are squared errors. The entries start at vectors of the first batch, and entries of
    little use move to where they are missed, see `Codebook`.

    codes: number of entries.   dim: dimensions per group.   commitment: β.
    decay: decay of the exponential moving averages.
    revival: an entry moves if its removal adds less squared error than this share of what its new
        place saves; with 0 none moves.
    books: "shared", all groups use one codebook; "separate", the groups of each `dim` channels
        have their own, which is product quantisation [jegou2011].
    Source: [oord2017], eq. 3 and appendix A.1.
    """

    name = "vq"
    cost_units = {"commitment": "", "codebook": ""}  # noqa: RUF012

    def __init__(
        self,
        sizes: Sizes,
        codes: Entries = 256,
        dim: Dimensions = 2,
        commitment: Weight = 0.25,
        learn: Literal["averages", "gradients"] = "averages",
        decay: Share = 0.99,
        revival: Share = 0.1,
        books: Literal["shared", "separate"] = "shared",
    ) -> None:
        super().__init__(sizes, dim, codes)
        self.commitment = commitment
        self.books = 1 if books == "shared" else self.blocks
        averaged = learn == "averages"
        self.codebook = Codebook(
            codes, dim, self.books, averaged=averaged, decay=decay, revival=revival
        )

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; `samples` repeats z, [S, B, *Z]."""
        # Autocast would compute the distances in half precision.
        with torch.autocast(h.device.type, enabled=False):
            h = widen(h).reshape(-1, *self.sizes.z)
            e = self.to_groups(h)
            chosen, index = (
                self.from_books(each, e.shape[0]) for each in self.codebook(self.to_books(e))
            )
            costs = {"commitment": self.commitment * (e - chosen.detach()).square().sum((1, 2))}
            if not self.codebook.averaged:
                costs["codebook"] = (chosen - e.detach()).square().sum((1, 2))
        return straight_through(h, self.from_groups(chosen), index, samples, costs)

    def codes_of(self, index: Tensor) -> Tensor:
        """[*some, groups] to [*some, *Z]."""
        rows = index.reshape(-1, self.groups)
        e = self.from_books(self.codebook.values(self.to_books(rows)), rows.shape[0])
        return self.from_groups(e).reshape(*index.shape[:-1], *self.sizes.z)

    def index_of(self, z: Tensor) -> Tensor:
        """[*some, *Z] to [*some, groups]."""
        e = self.to_groups(z)
        rows = e.reshape(-1, self.groups, self.dim)
        index = self.from_books(self.codebook.nearest(self.to_books(rows)), rows.shape[0])
        return index.reshape(e.shape[:-1])

    def entry_vectors(self) -> Tensor:
        """[books, codes, dim]."""
        return self.codebook.vectors


class ResidualQuantised(Quantised):
    """Residual vector quantisation: each group becomes a sum of entries, one of each codebook.

    The first codebook quantises the features, and each further one the error that is left:
    r₁ = h, eᵢ the entry of codebook i nearest to rᵢ, rᵢ₊₁ = rᵢ − eᵢ, z = Σ eᵢ. Gradients pass the
    quantisation unchanged. The cost "commitment", β Σᵢ ‖h − sg(e₁ + … + eᵢ)‖² summed over groups,
    [B], is a squared error. The codebooks are learned as moving averages, see `Codebook`.

    A code has an index for each level and group: first those of all groups in the first codebook.
    codes: entries per codebook.   dim: dimensions per group.   depth: number of codebooks.
    commitment, decay, revival: as in "vq".
    Source: [zeghidour2021], algorithm 1; [lee2022], section 3.1.
    """

    name = "residual-vq"
    cost_units = {"commitment": ""}  # noqa: RUF012

    def __init__(
        self,
        sizes: Sizes,
        codes: Entries = 256,
        dim: Dimensions = 4,
        depth: Annotated[int, Within(1, 64)] = 4,
        commitment: Weight = 0.25,
        decay: Share = 0.99,
        revival: Share = 0.1,
    ) -> None:
        super().__init__(sizes, dim, codes)
        self.commitment = commitment
        self.books, self.groups = depth, depth * self.groups
        self.levels = nn.ModuleList(
            Codebook(codes, dim, 1, averaged=True, decay=decay, revival=revival)
            for _ in range(depth)
        )

    def forward(self, h: Float[Tensor, "batch d"], samples: int | None = None) -> Code:
        """z [B, *Z] and index [B, groups]; `samples` repeats z, [S, B, *Z]."""
        with torch.autocast(h.device.type, enabled=False):
            h = widen(h).reshape(-1, *self.sizes.z)
            e = self.to_groups(h)
            total, cost = torch.zeros_like(e), e.new_zeros(e.shape[0])
            index = []
            for level in self.levels:
                chosen, of_level = level((e - total).reshape(1, -1, self.dim))
                total = total + chosen.reshape(e.shape)
                index.append(of_level.reshape(e.shape[:-1]))
                cost = cost + (e - total).square().sum((1, 2))
            costs = {"commitment": self.commitment * cost}
        return straight_through(h, self.from_groups(total), torch.cat(index, 1), samples, costs)

    def codes_of(self, index: Tensor) -> Tensor:
        """[*some, groups] to [*some, *Z]."""
        of_levels = index.chunk(self.books, -1)
        values = [
            book[0][of_level] for book, of_level in zip(self._books(), of_levels, strict=True)
        ]
        return self.from_groups(torch.stack(values).sum(0))

    def index_of(self, z: Tensor) -> Tensor:
        """[*some, *Z] to [*some, groups].

        The search keeps the 32 best partial sums of each group: the nearest entry of the first
        codebook alone need not belong to the nearest sum.
        """
        e = self.to_groups(z)
        rests = e.reshape(-1, 1, self.dim)
        found = torch.zeros(rests.shape[0], 1, 0, dtype=torch.long, device=e.device)
        for book in self._books():
            codes = book.shape[1]
            errors = squared_distances(rests.reshape(1, -1, self.dim), book)
            errors = errors.reshape(rests.shape[0], -1)
            best = errors.topk(min(BEAM, errors.shape[1]), largest=False).indices
            before, entry = (best // codes)[..., None], best % codes
            rests = rests.gather(1, before.expand(-1, -1, self.dim)) - book[0][entry]
            found = found.gather(1, before.expand(-1, -1, found.shape[2]))
            found = torch.cat([found, entry[..., None]], -1)
        return found[:, 0].reshape(*e.shape[:-1], self.books).movedim(-1, -2).flatten(-2)

    def entry_vectors(self) -> Tensor:
        """[depth, codes, dim]."""
        return torch.cat(self._books())

    def _books(self) -> list[Tensor]:
        return [level.get_buffer("vectors") for level in self.levels]

"""Codebooks: lists of vectors that are learned from the vectors that they replace."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from autoencode.maths.sharding import whole_batch
from autoencode.parts.bottlenecks.sparse import weight_of_batch

# An entry that receives less than this number of vectors per batch stays where it is.
MIN_USAGE = 1e-6
# Entries of a codebook that may move in one step.
MAX_MOVES = 8
# New places are sought among this number of vectors of a batch, and entries to move among this
# number of entries, drawn anew in each step, so that the search takes little of a step.
MAX_VECTORS_SEARCHED = 256
MAX_ENTRIES_SEARCHED = 64


class Codebook(nn.Module):
    """Codebooks of equal size, each learned in training mode from vectors of its own.

    The entries start at vectors of the first batch. With `averaged`, each entry is the mean of the
    vectors nearest to it, over all batches at first and later an exponential moving average with
    `decay`. Without it, the entries are a parameter, which the objective has to train.

    In each step, entries of little use move to where they are missed. If entry k with its share of
    uₖ vectors per batch is removed, the squared error grows by about uₖ·min ‖eⱼ − eₖ‖² over the
    other entries. New places lie half-way from an entry to a vector of the batch, which is drawn
    with a probability proportional to its squared error (as in k-means++); the reduction of the
    error that a place gives is measured on the other vectors. An entry moves if its removal costs
    less than `revival` times the reduction. Entries without vectors move as soon as there is any.

    books: number of codebooks.   codes: entries of each.   dim: length of their vectors.
    Source: [oord2017], appendix A.1; moves by utility: [fritzke1997]; drawn places: [arthur2007].
    """

    vectors: Tensor  # [books, codes, dim]
    usage: Tensor  # mean number of vectors per batch and entry, [books, codes]
    total: Tensor  # mean of the sum of these vectors, [books, codes, dim]
    updates: Tensor  # number of batches so far, []

    def __init__(
        self, codes: int, dim: int, books: int, *, averaged: bool, decay: float, revival: float
    ) -> None:
        super().__init__()
        self.averaged, self.decay, self.revival = averaged, decay, revival
        # Same as torch.randn, which would load a compiler on the device "meta".
        vectors = torch.empty(books, codes, dim).normal_()
        self.register_buffer("updates", torch.tensor(0))
        self.register_buffer("usage", torch.zeros(books, codes))
        if averaged:
            self.register_buffer("vectors", vectors)
            self.register_buffer("total", torch.zeros(books, codes, dim))
        else:
            self.vectors = nn.Parameter(vectors)

    def nearest(self, e: Float[Tensor, "books n dim"]) -> Int[Tensor, "books n"]:
        """The index of the entry nearest to each vector; the first of several."""
        book = self.vectors.detach()
        # ‖e − b‖² without ‖e‖², which is the same for all entries.
        squares = book.square().sum(-1)[:, None]
        return torch.baddbmm(squares, e.detach(), book.mT, alpha=-2).argmin(-1)

    def values(self, index: Int[Tensor, "books n"]) -> Float[Tensor, "books n dim"]:
        """The entries of indices."""
        books, codes, _ = self.vectors.shape
        first = codes * torch.arange(books, device=index.device)
        return self.vectors.flatten(0, 1)[index + first[:, None]]

    def forward(
        self, e: Float[Tensor, "books n dim"]
    ) -> tuple[Float[Tensor, "books n dim"], Int[Tensor, "books n"]]:
        """The nearest entries and their indices; in training mode the codebook learns from `e`."""
        e = e.detach()
        learns = self.training and e.shape[1] > 0
        every = whole_batch(e, 1) if learns else e
        if learns:
            # A permutation, so that no vector is used twice if there are enough.
            order = torch.randperm(every.shape[1], device=e.device)
            self._start(every, order)
            if self.revival:
                self._move(every, order[:MAX_VECTORS_SEARCHED])
        index = self.nearest(e)
        values = self.values(index)
        if learns:
            self._average(every, whole_batch(index, 1))
        return values, index

    @torch.no_grad()
    def _start(self, e: Tensor, order: Tensor) -> None:
        """Places all entries on vectors of the first batch."""
        codes, first = self.usage.shape[1], self.updates == 0
        rows = order[torch.arange(codes, device=e.device) % len(order)]
        self.vectors.copy_(torch.where(first, e[:, rows].to(self.vectors.dtype), self.vectors))

    @torch.no_grad()
    def _move(self, e: Tensor, rows_searched: Tensor) -> None:
        """Moves entries whose removal costs less than a new place gives."""
        searched = e[:, rows_searched].to(self.vectors.dtype)
        places, gains, counts = self._places(searched, e.shape[1] / len(rows_searched))
        rows, neighbours, costs = self._dispensable(places.shape[1])
        moves = costs < self.revival * gains
        # The vectors of an entry that moves go to its neighbour. A product with one-hot rows is
        # deterministic; index_add may not be.
        books, codes = self.usage.shape
        given = torch.zeros(books, rows.shape[1], codes, dtype=gains.dtype, device=e.device)
        given = given.scatter(2, neighbours[..., None], moves[..., None].to(gains.dtype)).mT
        usage = self.usage.gather(1, rows)
        self.usage.add_((given @ usage[..., None])[..., 0])
        _put(self.usage, rows, moves, counts)
        if self.averaged:
            wide = rows[..., None].expand_as(places)
            self.total.add_(given @ self.total.gather(1, wide))
            _put(self.total, rows, moves, places * counts[..., None])
        _put(self.vectors, rows, moves, places)

    def _places(self, e: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        """New places [books, m, dim], the error they save and the vectors they win, [books, m].

        Those that save most come first. Both numbers are per batch, of which `e` is 1 / scale.
        """
        m = min(MAX_MOVES, self.usage.shape[1], e.shape[1])
        errors, index = squared_distances(e, self.vectors).min(-1)
        # The largest of xᵢ/Eᵢ with exponential Eᵢ is a draw with probabilities proportional to xᵢ.
        drawn = (errors / torch.empty_like(errors).exponential_()).topk(m).indices
        wide = drawn[..., None].expand(-1, -1, e.shape[2])
        places = (e.gather(1, wide) + self.values(index.gather(1, drawn))) / 2
        saved = (errors[..., None] - squared_distances(e, places)).clamp(min=0)
        # A vector says nothing about the place that was chosen for it.
        saved = saved.scatter(1, drawn[:, None], 0.0)
        gains, order = (scale * saved.sum(1)).sort(descending=True)
        places = places.gather(1, order[..., None].expand_as(places))
        return places, gains, scale * (1 + (saved > 0).sum(1).gather(1, order))

    def _dispensable(self, m: int) -> tuple[Tensor, Tensor, Tensor]:
        """Entries whose removal costs least, their nearest others, and the costs, [books, m]."""
        books, codes = self.usage.shape
        searched = torch.randperm(codes, device=self.usage.device)[:MAX_ENTRIES_SEARCHED]
        distances = squared_distances(self.vectors[:, searched], self.vectors)
        own = searched[:, None] == torch.arange(codes, device=searched.device)
        distances, neighbours = distances.masked_fill(own, math.inf).min(-1)
        mine, theirs = self.usage[:, searched], self.usage.gather(1, neighbours)
        # Of two that are each other's nearest, one stays.
        fewer = (mine < theirs) | ((mine == theirs) & (searched < neighbours))
        costs, order = (mine * distances).masked_fill(~fewer, math.inf).topk(m, largest=False)
        return searched.expand(books, -1).gather(1, order), neighbours.gather(1, order), costs

    @torch.no_grad()
    def _average(self, e: Tensor, index: Tensor) -> None:
        """Updates the averages with a batch and, if it is averaged, the codebook."""
        self.updates.add_(1)
        weight = weight_of_batch(self.updates, 1 - self.decay)
        e = e.to(self.usage.dtype)
        one_hot = torch.zeros(*index.shape, self.usage.shape[1], dtype=e.dtype, device=e.device)
        one_hot = one_hot.scatter(2, index[..., None], 1.0)
        self.usage.lerp_(one_hot.sum(1), weight)
        if not self.averaged:
            return
        self.total.lerp_((e.mT @ one_hot).mT, weight)
        means = self.total / self.usage.clamp(min=MIN_USAGE)[..., None]
        self.vectors.copy_(torch.where((self.usage > MIN_USAGE)[..., None], means, self.vectors))


def squared_distances(
    a: Float[Tensor, "books n dim"], b: Float[Tensor, "books m dim"]
) -> Float[Tensor, "books n m"]:
    """‖aᵢ − bⱼ‖², 0 or more."""
    centre = a.mean(1, keepdim=True)  # large common values would cancel
    a, b = a - centre, b - centre
    squares = a.square().sum(-1)[..., None] + b.square().sum(-1)[:, None]
    return torch.baddbmm(squares, a, b.mT, alpha=-2).clamp(min=0)


def _put(to: Tensor, rows: Tensor, chosen: Tensor, values: Tensor) -> None:
    """Writes values [books, m, …] to rows [books, m] of `to` [books, codes, …], where chosen."""
    wide, chosen = (
        each.reshape(*each.shape, *[1] * (to.dim() - 2)).expand_as(values)
        for each in (rows, chosen)
    )
    to.scatter_(1, wide, torch.where(chosen, values.to(to.dtype), to.gather(1, wide)))

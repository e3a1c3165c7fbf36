"""Batches as slices of one tensor, on the training device or over a file."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoencode.data import Split, scaled
from autoencode.errors import DataError
from autoencode.train.augment import augmented
from autoencode.train.prefetch import DEPTH, Prefetcher

# Multiplies the seed, so that (seed, epoch) and (seed + 1, epoch − 1) are different orders.
STRIDE = 1_000_003
# Keeps the orders of the second stream apart from those of the first.
APART = 7_919


class Batches:
    """An endless, shuffled sequence of batches in which the step alone says which comes.

    The order of an epoch is a function of the seed and the epoch, so that resuming at a step needs
    no state. What is left over at the end of an epoch, less than a batch, waits for another
    shuffle: no batch is ever smaller than the others.
    """

    def __init__(
        self,
        train: Split,
        known: Tensor | None,
        batch_size: int,
        seed: int,
        device: torch.device,
        labelled: float | None = None,
        augment: float = 0.0,
    ) -> None:
        """The training examples and what is known of each, [N] or [N, C], where a model asks.

        labelled: the share of each batch that is drawn from the examples whose label is known;
            None leaves it to chance.
        augment: the share of each batch of images that is seen under small affine maps.

        Raises:
            DataError: a share of labels where none is known or none is hidden, or in batches of
                one.
        """
        x = train.x
        # A row may ask for it, and vectors are seen as they are.
        self.augment = augment if x.dim() > 2 else 0.0
        self.device, self.random = device, train.random
        # What is larger than memory stays where it is, and is read before it is needed.
        self.ahead = Prefetcher(x) if train.mapped else None
        self.x = x if train.mapped else x.to(device)
        self.known = None if known is None else known.to(device)
        self.batch_size = min(batch_size, len(x))
        if labelled is None:
            self.streams = [Stream(torch.arange(len(x)), self.batch_size, seed, device)]
        else:
            told = torch.zeros(len(x), dtype=torch.bool) if known is None else known >= 0
            if known is None or known.dim() > 1 or not told.any() or told.all():
                raise DataError(
                    "Batches were to mix examples with and without labels, and the data have only "
                    f"{'examples with' if told.any() else 'examples without'} labels",
                    "Hide some, --labelled 100, or leave the batches to chance: "
                    "--set training.labelled=none.",
                )
            if self.batch_size < 2:
                raise DataError(
                    "A batch of one example cannot mix examples with and without labels",
                    "Use --batch-size 2 or more.",
                )
            ours = min(self.batch_size - 1, max(1, round(labelled * self.batch_size)))
            self.streams = [
                Stream((~told).nonzero().flatten(), self.batch_size - ours, seed, device),
                Stream(told.nonzero().flatten(), ours, seed + APART, device),
            ]
        self.per_epoch = self.streams[0].per_epoch

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor | None]:
        """The examples of that step as they lie in memory, [B, *X], and what is known of them."""
        if self.ahead is None:
            chosen = self.chosen(step)
            raw = self.x.index_select(0, chosen)
        else:
            for each in range(step, step + DEPTH):
                if not self.ahead.has(each):
                    self.ahead.ask(each, self.chosen(each))
            chosen, raw = self.ahead.take(step)
        known = None if self.known is None else self.known.index_select(0, chosen)
        return raw.to(self.device), known

    def chosen(self, step: int) -> Tensor:
        """Positions of that step's examples, [B]."""
        parts = [stream[step] for stream in self.streams]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def look(self, raw: Tensor) -> Tensor:
        """What a model sees of such examples: floats in [0, 1], [B, *X].

        Bits are drawn from torch's own random state, as all the noise of training is.
        """
        x = scaled(raw)
        if self.augment:
            x = augmented(x, self.augment)
        # Three times as quick as torch.bernoulli.
        return (torch.rand_like(x) < x).to(x.dtype) if self.random else x


class Stream:
    """Positions of examples, `count` for each step, shuffled anew in each epoch."""

    def __init__(self, rows: Tensor, count: int, seed: int, device: torch.device) -> None:
        # A few examples come more than once in a batch that asks for many.
        self.rows = rows.repeat(-(-count // len(rows))).to(device)
        self.count, self.seed = count, seed
        self.per_epoch = len(self.rows) // count
        self.epoch = -1
        self.order = self.rows

    def __getitem__(self, step: int) -> Tensor:
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self.epoch:
            self.epoch, self.order = epoch, self.order_of(epoch)
        start = place * self.count
        return self.order[start : start + self.count]

    def order_of(self, epoch: int) -> Tensor:
        """The positions of all examples, in the order of that epoch."""
        shuffle = torch.Generator().manual_seed((self.seed * STRIDE + epoch) % 2**63)
        order = torch.randperm(len(self.rows), generator=shuffle)
        return self.rows[order.to(self.rows.device)]


class BatchesOfMany:
    """The batches of several models of the same data, each in an order of its own."""

    def __init__(self, batches: Sequence[Batches]) -> None:
        first = batches[0]
        self.batches, self.x, self.known = batches, first.x, first.known
        self.epochs = [-1] * len(first.streams)
        self.orders = [torch.empty(0)] * len(first.streams)

    def chosen(self, step: int) -> Tensor:
        """Positions of that step's examples, [models, B]."""
        parts = []
        for which, stream in enumerate(self.batches[0].streams):
            epoch, place = divmod(step, stream.per_epoch)
            if epoch != self.epochs[which]:
                orders = [each.streams[which].order_of(epoch) for each in self.batches]
                self.epochs[which], self.orders[which] = epoch, torch.stack(orders)
            start = place * stream.count
            parts.append(self.orders[which][:, start : start + stream.count])
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)

    def rows(self, chosen: Tensor) -> tuple[Tensor, Tensor | None]:
        """These examples as they lie in memory, [models, B, *X], and what is known of them."""
        return _rows(self.x, chosen), None if self.known is None else _rows(self.known, chosen)


def _rows(x: Tensor, chosen: Tensor) -> Tensor:
    return x.index_select(0, chosen.flatten()).view(*chosen.shape, *x.shape[1:])
